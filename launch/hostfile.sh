#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs trireme with mpirun on the nodes of a hostfile, for clusters without a batch system, and starts it again as long as it
# ends with exit code 75 (stopped after a checkpoint) without having been asked to through this script.
set -u

usage() {
  cat <<'TEXT'
usage: bash launch/hostfile.sh HOSTFILE [OPTION ...] COMMAND [ARGUMENT ...]
   as: bash launch/hostfile.sh hosts --cores 8 train my_model.yaml

HOSTFILE has a line a node: its name and how many ranks it takes, 'node1 slots=4': one for each GPU, or for each --cores
cores. Every node must see this folder, trireme and the run folder under the same paths, and let mpirun in by ssh.

  --cores N           cores of each rank, to which it is bound (default 1); 0: ranks are not bound
  --attempts N        starts at most (default 100)
  --trireme PATH      the binary (default build/release/trireme beside this script's folder)
  --mca NAME VALUE    a setting of Open MPI, such as --mca btl_tcp_if_include eth0; may be repeated
  --dry-run           checks the settings, prints the mpirun command and starts nothing
  --help              this text

USR1, TERM, HUP and Ctrl-C save a checkpoint and end the job with exit code 75; TERM or Ctrl-C once more ends it at once.
Exit code: that of the last start; 2 wrong usage.
TEXT
}
say() { echo "hostfile: $(date -u +%FT%TZ) $*" >&2; }
refuse() {
  echo "hostfile: error: $*" >&2
  exit 2
}
number() { [[ $2 =~ ^(0|[1-9][0-9]{0,8})$ ]] || refuse "$1 $2: expected a whole number"; }

# As in launch/trireme.sbatch.
kill_seconds=5
keepalive=(--mca oob_tcp_keepalive_time 30 --mca oob_tcp_keepalive_intvl 10 --mca oob_tcp_keepalive_probes 3)
hosts=
cores=1
attempts=100
trireme=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build/release/trireme
dry=no
mca=()
while [ $# -gt 0 ]; do
  case "$1" in
    --cores|--attempts|--trireme)
      [ $# -ge 2 ] || refuse "$1 needs a value"
      case "$1" in
        --cores) number "$1" "$2"; cores=$2 ;;
        --attempts) number "$1" "$2"; attempts=$2 ;;
        --trireme) trireme=$2 ;;
      esac
      shift 2 ;;
    --mca)
      [ $# -ge 3 ] || refuse "--mca needs a name and a value"
      mca+=("$1" "$2" "$3")
      shift 3 ;;
    --dry-run) dry=yes; shift ;;
    --help|-h) usage; exit 0 ;;
    -*) refuse "unknown option '$1' (bash launch/hostfile.sh --help)" ;;
    *)
      if [ -n "$hosts" ]; then break; fi
      hosts=$1
      shift ;;
  esac
done
[ -n "$hosts" ] || { usage >&2; exit 2; }
[ $# -gt 0 ] || refuse "no command for trireme, such as: train my_model.yaml"
[ -r "$hosts" ] || refuse "the hostfile $hosts cannot be read"
[ -x "$trireme" ] || refuse "there is no program $trireme (--trireme PATH)"
case $trireme in /*) ;; *) trireme=$PWD/$trireme ;; esac
[ "$attempts" -ge 1 ] || refuse "--attempts 0: expected at least 1"

binding=(--map-by "slot:PE=$cores" --bind-to core)
[ "$cores" -ne 0 ] || binding=(--map-by slot --bind-to none)
command=(mpirun --hostfile "$hosts" "${binding[@]}" --mca odls_base_sigkill_timeout "$kill_seconds"
  "${keepalive[@]}" ${mca[@]+"${mca[@]}"} "$trireme" "$@")
# What a run begins with (--resume never, or a step) holds for the first start; from then on it goes on where it was.
again=()
before=
for word in "${command[@]}"; do
  case $before$word in
    *--resume=never | *--resume=[0-9]*) ;;
    --resumenever | --resume[0-9]*) unset 'again[-1]' ;;
    *) again+=("$word") ;;
  esac
  before=$word
done
# How many ranks a line without slots takes only mpirun finds out.
ranks=$(awk '
  { sub(/\r$/, ""); sub(/#.*/, ""); gsub(/[ \t]*=[ \t]*/, "=") }
  NF {
    nodes = 1
    slots = "none"
    for (i = 2; i <= NF; ++i) if (sub(/^slots=/, "", $i)) slots = $i
    if (slots == "none") { unknown = 1; next }
    if (slots !~ /^[1-9][0-9]*$/) { print "line " NR ": slots=" slots " for " $1 "; expected how many ranks it takes, at least 1"; wrong = 1; exit }
    all += slots
  }
  END {
    if (wrong) exit 1
    if (!nodes) { print "it names no node; expected lines such as: node1 slots=4"; exit 1 }
    print unknown ? "unknown" : all
  }' "$hosts") || refuse "the hostfile $hosts: $ranks"
# What is wrong with the settings on so many ranks is told here, once and whole, before a node works on it.
case " $* " in
  *" --check"*) ;;
  " train "*)
    if [ "$ranks" != unknown ]; then
      "$trireme" "$@" --check "$ranks" >&2 || {
        code=$?
        if [ $code -eq 2 ]; then echo "hostfile: error: the settings do not hold for $ranks ranks" >&2
        else echo "hostfile: error: \`$trireme $* --check $ranks\` ended with exit code $code" >&2; fi
        exit $code
      }
    else
      say "the settings are not checked beforehand: not every line of $hosts says slots=N"
    fi ;;
esac
if [ $dry = yes ]; then
  printf '%q ' "${command[@]}"
  echo
  exit 0
fi

# mpirun is given USR1 for every request, for it passes that on at once; one that comes again means it.
asked=0
heard=no
job=
ask() {
  asked=$((asked + 1))
  local signal=USR1
  case $asked-$1 in 1-* | *USR1 | *HUP) ;; *) signal=TERM ;; esac
  say "asked to stop ($1)"
  [ -z "$job" ] || { heard=yes; kill "-$signal" "$job" 2>/dev/null; }
}
trap 'ask USR1' USR1
trap 'ask TERM' TERM
trap 'ask INT' INT
trap 'ask HUP' HUP

code=75
for ((attempt = 1; attempt <= attempts && asked == 0; ++attempt)); do
  say "start $attempt of at most $attempts: ${command[*]}"
  [ $asked -eq 0 ] || break
  set -m  # a process group of its own: Ctrl-C reaches this script alone
  "${command[@]}" </dev/null &
  job=$!
  set +m
  # Whoever asked before there was a job to tell is heard now, once that is mpirun and no longer a copy of this script.
  [ $asked -eq 0 ] || [ $heard = yes ] || { sleep 1; kill -USR1 "$job" 2>/dev/null; }
  command=("${again[@]}")
  # A signal ends `wait` before the job has ended: then its result is none of mpirun's.
  while
    before=$asked
    wait "$job"
    code=$?
    [ "$before" -ne "$asked" ]
  do :; done
  job=
  # Whoever was asked to stop before it listened was ended by the signal itself (128 + 10) and has nothing to save.
  if [ $asked -gt 0 ] && [ $code -eq 138 ]; then code=75; fi
  say "ended with exit code $code"
  [ $code -eq 75 ] || break
done
exit $code
