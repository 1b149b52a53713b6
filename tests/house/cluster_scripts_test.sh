#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# launch/trireme.sbatch and launch/hostfile.sh without a cluster: what they would start, and, with stand-ins for mpirun and
# scontrol, what they make of signals and exit codes.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

scripts=("$root/launch/trireme.sbatch" "$root/launch/hostfile.sh")
for script in "${scripts[@]}" "$root/tests/e2e/slurm.sh"; do
  bash -n "$script" || failures=$((failures + 1))
done
if command -v shellcheck >/dev/null; then
  # Functions called by traps only look unreachable.
  shellcheck --exclude=SC2317 "${scripts[@]}" "$root/tests/e2e/slurm.sh" || failures=$((failures + 1))
else
  echo "no shellcheck here (bash launch/setup.sh --dev): not linted"
fi

unset "${!SLURM_@}"
mkdir -p "$work/bin" "$work/build/release"
trireme=$work/build/release/trireme
stand_in() {
  printf '#!/bin/bash\n%s\n' "$2" >"$1"
  chmod +x "$1"
}
# The stand-in for trireme is asked alone whether a run can start, and refuses wrong.yaml.
# shellcheck disable=SC2016  # not to be expanded here
stand_in "$trireme" 'echo "asked: $*" >>asked; case "$*" in *wrong.yaml*) echo "wrong.yaml:3: no such setting"; exit 2 ;; esac'
cd "$work" || exit 1
printf 'node1 slots=2\nnode2 slots=2\n' >hosts
export PATH="$work/bin:$PATH"

# check NAME RC TEXT COMMAND...: the exit code, and a part of what is said; TEXT begins with = for all of it.
check() {
  local name=$1 rc=$2 text=$3 got=0 good=yes
  shift 3
  "$@" >output 2>&1 </dev/null || got=$?
  [ $got -eq "$rc" ] || good=no
  case $text in
    =*) [ "$(sed 's/ *$//' output)" = "${text#=}" ] || good=no ;;
    *) grep -qF -- "$text" output || good=no ;;
  esac
  if [ $good = no ]; then
    echo "FAILED $name: exit code $got (expected $rc), expected to read '$text' in:"
    cat output
    failures=$((failures + 1))
  else
    echo "ok $name"
  fi
}
# said NAME COUNT TEXT: the last command said it so often.
said() {
  local count
  count=$(grep -cF -- "$3" output)
  [ "$count" -eq "$2" ] && return
  echo "FAILED $1: '$3' was said $count times, not $2"
  cat output
  failures=$((failures + 1))
}
sbatch=(bash "$root/launch/trireme.sbatch")
hostfile=(bash "$root/launch/hostfile.sh" hosts --trireme "$trireme")

kill_option="--mca odls_base_sigkill_timeout 5 --mca oob_tcp_keepalive_time 30 --mca oob_tcp_keepalive_intvl 10"
kill_option+=" --mca oob_tcp_keepalive_probes 3"
check "sbatch: its own numbers" 0 "=mpirun --map-by slot:PE=8 --bind-to core $kill_option $trireme train my_model.yaml" \
  "${sbatch[@]}" --dry-run
check "sbatch: Slurm's numbers, arguments as they are" 0 \
  "=mpirun --map-by slot:PE=12 --bind-to core $kill_option $trireme train x.yaml --set data.shards=\\[a\\ b\\]" \
  env SLURM_JOB_ID=7 SLURM_NTASKS=8 SLURM_CPUS_PER_TASK=12 "${sbatch[@]}" --dry-run train x.yaml --set "data.shards=[a b]"
check "sbatch: paths count from the submission" 2 "there is no program /elsewhere/build/release/trireme" \
  env SLURM_SUBMIT_DIR=/elsewhere "${sbatch[@]}" --dry-run
check "sbatch: no number" 2 "expected a number of cores" env SLURM_CPUS_PER_TASK=x "${sbatch[@]}" --dry-run
check "sbatch: no Slurm" 2 "this is no Slurm job" "${sbatch[@]}"
check "hostfile: one core a rank" 0 "=mpirun --hostfile hosts --map-by slot:PE=1 --bind-to core $kill_option $trireme train x.yaml" \
  "${hostfile[@]}" --dry-run train x.yaml
check "hostfile: cores, settings, arguments" 0 \
  "=mpirun --hostfile hosts --map-by slot:PE=6 --bind-to core $kill_option --mca btl_tcp_if_include ib0 $trireme data x.yaml --set out=a\\ b --json" \
  "${hostfile[@]}" --cores 6 --mca btl_tcp_if_include ib0 --dry-run data x.yaml --set "out=a b" --json
check "hostfile: not bound" 0 "=mpirun --hostfile hosts --map-by slot --bind-to none $kill_option $trireme eval runs/x" \
  "${hostfile[@]}" --dry-run --cores 0 eval runs/x
asked() {
  [ "$(cat asked 2>/dev/null)" = "$2" ] || { echo "FAILED $1: trireme was $(cat asked 2>/dev/null), not $2"; failures=$((failures + 1)); }
}
rm -f asked
check "sbatch: settings are checked for its own numbers" 0 "mpirun" "${sbatch[@]}" --dry-run train x.yaml
asked "sbatch: settings are checked for its own numbers" "asked: train x.yaml --check 8"
rm -f asked
check "sbatch: settings are checked for Slurm's numbers" 2 "wrong.yaml:3: no such setting" \
  env SLURM_JOB_ID=7 SLURM_NTASKS=48 SLURM_NNODES=6 "${sbatch[@]}" train wrong.yaml
asked "sbatch: settings are checked for Slurm's numbers" "asked: train wrong.yaml --check 48"
rm -f asked
check "sbatch: an unknown number of ranks is not guessed" 0 "not checked beforehand" \
  env SLURM_JOB_ID=7 SLURM_NNODES=2-4 "${sbatch[@]}" --dry-run train wrong.yaml
asked "sbatch: an unknown number of ranks is not guessed" ""
rm -f asked
check "hostfile: settings are checked for all slots" 2 "wrong.yaml:3: no such setting" "${hostfile[@]}" train wrong.yaml --set a=b
asked "hostfile: settings are checked for all slots" "asked: train wrong.yaml --set a=b --check 4"
rm -f asked
check "hostfile: other commands are not asked" 0 "mpirun" "${hostfile[@]}" --dry-run data wrong.yaml
asked "hostfile: other commands are not asked" ""
printf '# a cluster\nnode1 slots=2 max_slots=4 # here\n\nnode2\n' >half
check "hostfile: a line without slots" 0 "not every line of half says slots=N" \
  bash "$root/launch/hostfile.sh" half --trireme "$trireme" --dry-run train wrong.yaml
printf 'node1 slots=2\nnode2 slots = 0 # down\n' >none
check "hostfile: a node that takes no rank" 2 "the hostfile none: line 2: slots=0 for node2; expected how many ranks it takes, at least 1" \
  bash "$root/launch/hostfile.sh" none --trireme "$trireme" --dry-run train x.yaml
printf 'node1 slots=\nnode2 slots=2\n' >open
check "hostfile: slots without a number" 2 "the hostfile open: line 1: slots= for node1" \
  bash "$root/launch/hostfile.sh" open --trireme "$trireme" data x.yaml
printf '# node1 slots=2\n\n' >empty
check "hostfile: no node" 2 "the hostfile empty: it names no node; expected lines such as: node1 slots=4" \
  bash "$root/launch/hostfile.sh" empty --trireme "$trireme" --dry-run train x.yaml
check "hostfile: no command" 2 "no command for trireme" "${hostfile[@]}"
check "hostfile: unknown option" 2 "unknown option '--slots'" "${hostfile[@]}" --slots 3 train x.yaml
check "hostfile: no number" 2 "--cores many: expected a whole number" "${hostfile[@]}" --cores many train x.yaml
check "hostfile: no hostfile" 2 "the hostfile nowhere cannot be read" bash "$root/launch/hostfile.sh" nowhere train x.yaml
check "hostfile: no binary" 2 "there is no program nowhere" bash "$root/launch/hostfile.sh" hosts --trireme nowhere train x.yaml

# mpirun's stand-in ends with the exit codes in `codes`, one a start; the word `wait` instead waits for USR1, saves for a
# second (during which signals come again) and leaves with 75; `deaf` is ended by USR1 before it listens, `stubborn` by TERM.
# shellcheck disable=SC2016  # not to be expanded here
stand_in bin/mpirun 'code=$(head -n 1 codes); sed -i 1d codes; echo "mpirun starts"
case $code in
  wait) trap "echo saving; sleep 1; echo saved; exit 75" USR1; touch up; for _ in $(seq 100); do sleep 0.1; done; exit 9 ;;
  stubborn) trap "" USR1; trap "echo ended at once; exit 9" TERM; touch up; for _ in $(seq 100); do sleep 0.1; done ;;
  deaf) touch up; exec sleep 10 ;;
  *) exit $code ;;
esac'
# scontrol's tells of a job that is preempted where there is `preempted`, and refuses to requeue where there is `refused`.
# shellcheck disable=SC2016  # not to be expanded here
stand_in bin/scontrol 'case "$*" in
  *"show job 7") time=None; [ ! -e preempted ] || time=2026-01-31T01:02:03; echo "JobId=7 PreemptEligibleTime=2026-01-31T01:02:03 PreemptTime=$time" ;;
  *) echo "scontrol $*"; [ ! -e refused ] || { echo "not now"; exit 1; } ;;
esac'
codes() {
  rm -f up refused preempted
  printf '%s\n' "$@" >codes
}
# signalled "SIGNAL ..." COMMAND...: the command, and the signals once it is up, a third of a second apart.
signalled() {
  local signals=$1 process signal
  shift
  "$@" &
  process=$!
  for _ in $(seq 100); do [ -e up ] && break; sleep 0.1; done
  for signal in $signals; do
    kill -"$signal" $process
    sleep 0.3
  done
  wait $process
}

codes 75 75 0
check "hostfile: starts again after 75" 0 "ended with exit code 0" "${hostfile[@]}" train x.yaml
said "hostfile: starts again after 75" 3 "mpirun starts"
codes 75 75 75
check "hostfile: a limit on attempts" 75 "start 2 of at most 2" "${hostfile[@]}" --attempts 2 train x.yaml
said "hostfile: a limit on attempts" 2 "mpirun starts"
codes 1 0
check "hostfile: a failure is one" 1 "ended with exit code 1" "${hostfile[@]}" train x.yaml
said "hostfile: a failure is one" 1 "mpirun starts"
codes wait 0
check "hostfile: saves when asked, and stays away" 75 "saved" signalled "TERM USR1 HUP" "${hostfile[@]}" train x.yaml
said "hostfile: saves when asked, and stays away" 1 "mpirun starts"
codes deaf 0
check "hostfile: asked before anybody listens" 75 "ended with exit code 75" signalled USR1 "${hostfile[@]}" train x.yaml
codes stubborn 0
check "hostfile: asked twice" 9 "ended at once" signalled "USR1 TERM" "${hostfile[@]}" train x.yaml

# Between the last look at what was asked and the start, the script says when it is: date's stand-in asks just then.
# shellcheck disable=SC2016  # not to be expanded here
stand_in bin/date '[ ! -e early ] || { rm early; kill -USR1 $PPID; }; exec /bin/date "$@"'
codes wait 0
touch early
check "hostfile: asked while it starts" 75 "asked to stop (USR1)" "${hostfile[@]}" train x.yaml
said "hostfile: asked while it starts" 0 "mpirun starts"
rm bin/date
codes 75 75 0
check "hostfile: what a run begins with holds once" 0 "start 2 of at most 100: mpirun" \
  "${hostfile[@]}" train x.yaml --resume never --set a=never
said "hostfile: what a run begins with holds once" 1 "train x.yaml --resume never --set a=never"
said "hostfile: what a run begins with holds once" 2 "train x.yaml --set a=never"
codes 75 0
check "hostfile: in one word too" 0 "start 2" "${hostfile[@]}" train --resume=20 x.yaml
said "hostfile: in one word too" 1 "train --resume=20 x.yaml"
codes 75 0
check "hostfile: strict stays" 0 "start 2" "${hostfile[@]}" train x.yaml --resume strict
said "hostfile: strict stays" 2 "train x.yaml --resume strict"
stand_in crash 'exit 139'
check "hostfile: a check that breaks off is none of the settings" 139 "ended with exit code 139" \
  bash "$root/launch/hostfile.sh" hosts --trireme crash train x.yaml

job=(env SLURM_JOB_ID=7 SLURM_CPUS_PER_TASK=2 SLURM_RESTART_COUNT=3 "${sbatch[@]}" train x.yaml)
codes 0
check "sbatch: done" 0 "job 7 on ?, start 4" "${job[@]}"
said "sbatch: done" 0 "requeue"
codes 0
check "sbatch: what a run begins with holds once" 0 "train x.yaml" "${job[@]}" --resume never
said "sbatch: what a run begins with holds once" 0 "--resume"
codes 0
check "sbatch: it holds at the first start" 0 "train x.yaml --resume never" env SLURM_JOB_ID=7 SLURM_CPUS_PER_TASK=2 \
  "${sbatch[@]}" train x.yaml --resume never
codes 2
check "sbatch: a wrong request is not requeued" 2 "ended with exit code 2" "${job[@]}"
said "sbatch: a wrong request is not requeued" 0 "requeue"
codes 1
check "sbatch: a failure is not requeued" 1 "ended with exit code 1" "${job[@]}"
said "sbatch: a failure is not requeued" 0 "requeue"
codes 205
touch preempted
check "sbatch: a job that lost its daemons to preemption goes back" 75 "back in the queue" "${job[@]}"
codes 2
touch preempted
check "sbatch: a wrong request does not" 2 "ended with exit code 2" "${job[@]}"
codes 75
check "sbatch: 75 goes back to the queue" 75 "back in the queue" "${job[@]}"
codes wait
check "sbatch: the exit code behind the signals" 75 "saved" signalled "USR1 TERM" "${job[@]}"
said "sbatch: the exit code behind the signals" 1 "back in the queue"
codes deaf
check "sbatch: asked before anybody listens" 75 "back in the queue" signalled USR1 "${job[@]}"
codes 75
touch refused
check "sbatch: requeued by Slurm itself" 75 "not requeued by this script (scontrol requeue 7" "${job[@]}"

[ $failures -eq 0 ]
