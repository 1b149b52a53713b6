#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real Slurm of two nodes on this machine runs launch/trireme.sbatch as it is shipped: preempted by a job of a higher
# partition, requeued, resumed and finished, with the metrics of a run that nobody disturbed. Once with a warning (USR1 at the
# beginning of the grace time), once without (Slurm ends the job). Usage: slurm.sh BINARY SOURCES [WORK_FOLDER]
# Needs root and slurm-wlm and munge (bash launch/setup.sh --slurm); leaves with 77 (skipped) and a reason without.
set -u

binary=$(realpath "$1")
sources=$(realpath "$2")
kept=${3:-}
steps=2400  # so many that the run outlasts the seconds which Slurm and Open MPI wait

PATH=$PATH:/usr/sbin:/sbin  # where the daemons are
skip() { echo "SKIPPED: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "slurmd and munged as started here need root"
for program in slurmctld slurmd sbatch scontrol squeue scancel munged mpirun python3; do
  command -v $program >/dev/null || skip "no $program: bash launch/setup.sh --slurm"
done

work=${kept:-$(mktemp -d /tmp/trireme-slurm-XXXXXX)}
mkdir -p "$work"/{state,spool,log,build}
chmod 755 "$work"  # munged wants to be reached
port=$((21000 + $$ % 3000 * 3))
daemons=()

# Processes of the jobs and their step daemons know our configuration by name: nobody else's do.
ours() {
  local environ id
  for environ in /proc/[0-9]*/environ; do
    id=${environ#/proc/}
    grep -qzxF "SLURM_CONF=$work/slurm.conf" "$environ" 2>/dev/null && echo "${id%/environ}"
  done
}
# shellcheck disable=SC2317  # called by the trap
cleanup() {
  trap - EXIT
  squeue -h -o %i 2>/dev/null | xargs -r scancel -f 2>/dev/null
  local daemon
  for daemon in "${daemons[@]}"; do kill -TERM "$daemon" 2>/dev/null; done
  sleep 1
  local id
  for id in $(ours); do kill -KILL "$id" 2>/dev/null; done
  for daemon in "${daemons[@]}"; do kill -KILL "$daemon" 2>/dev/null; done
  wait
  [ -n "$kept" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "FAILED: $1"
  local log
  for log in "$work"/*.log "$work"/prepare.err "$work"/log/slurmctld; do
    [ ! -e "$log" ] || { echo "--- $log"; tail -n 40 "$log"; }
  done
  exit 1
}
began=$SECONDS
tell() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }
# await SECONDS WHAT COMMAND...: until the command succeeds.
await() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $until ] || fail "waited in vain: $what"
    sleep 0.2
  done
}

# configure GRACE SETTING...: two nodes that are this machine under two names, and two partitions.
configure() {
  local grace=$1
  shift
  {
    cat <<TEXT
ClusterName=trireme
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=10
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.%n.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd.%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SchedulerParameters=bf_interval=2,sched_interval=2
ReturnToService=2
KillWait=10
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 1))-$((port + 2)) CPUs=2
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime=$grace MaxTime=60
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=60
TEXT
    printf '%s\n' "$@"
  } >"$work/slurm.conf"
}
cluster() {
  export SLURM_CONF=$work/slurm.conf
  head -c 128 /dev/urandom >"$work/munge.key"
  chmod 400 "$work/munge.key"
  munged --force --foreground "--socket=$work/munge.socket" "--key-file=$work/munge.key" "--pid-file=$work/munged.pid" \
    "--log-file=$work/log/munged" "--seed-file=$work/munge.seed" >"$work/log/munged.out" 2>&1 &
  daemons+=($!)
  await 20 "munged" test -S "$work/munge.socket"
  slurmctld -D -i >"$work/log/slurmctld.out" 2>&1 &
  daemons+=($!)
  local node
  for node in n1 n2; do
    slurmd -D -N $node >"$work/log/slurmd.$node.out" 2>&1 &
    daemons+=($!)
  done
  await 60 "two idle nodes" idle
}
# shellcheck disable=SC2317  # called by await
idle() { [ "$(sinfo -h -p low -t idle -o %D 2>/dev/null)" = 2 ]; }

# submit NAME: the shipped script with another number of ranks; its job in $job.
submit() {
  job=$(cd "$work" && sbatch --parsable --job-name="$1" --output="$1.log" --nodes=2 --ntasks-per-node=1 --cpus-per-task=$cores \
    --time=40 "$sources/launch/trireme.sbatch" train "$sources/configs/train/tiny_gpt2.yaml" --set "run.dir=$work/$1" \
    --set "data.shards=[$work/shards]" --set model.layers=2 --set model.width=32 --set model.head_size=8 \
    --set model.feed_forward=64 --set train.sequence=64 --set train.steps=$steps --set checkpoint.every=100 \
    --set eval.every=400 --set eval.samples=4 --set cpu.threads=1 --set log.every=100) || fail "sbatch did not take the script"
}
# `scontrol` of the job: what is after KEY=.
of_job() { scontrol -o show job "$job" | sed -n "s/.* $1=\([^ ]*\).*/\1/p"; }
# shellcheck disable=SC2317  # called by await
state_is() { [ "$(of_job JobState)" = "$1" ]; }
# shellcheck disable=SC2317  # called by await
has_steps() { [ "$(grep -c '"loss"' "$work/$1/metrics.jsonl" 2>/dev/null)" -ge "$2" ] 2>/dev/null; }
ended() {
  case $(of_job JobState) in COMPLETED) ;; FAILED | TIMEOUT | CANCELLED | PREEMPTED | NODE_FAIL) fail "job $job: $(of_job JobState)" ;; *) return 1 ;; esac
}
# Everything in metrics.jsonl but how long it took.
curve() {
  python3 -c '
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    for key in ("seconds", "tokens_per_second", "mfu"): row.pop(key, None)
    print(json.dumps(row, sort_keys=True))' "$work/$1/metrics.jsonl"
}
expect() { grep -q -- "$2" "$work/$1.log" || fail "$1.log does not say \"$2\""; }

# preempt NAME: a run that a job of the high partition puts out, and that ends as if it had not been.
preempt() {
  submit "$1"
  await 120 "step 60 of $1" has_steps "$1" 60
  local high
  high=$(sbatch --parsable -p high --nodes=2 --ntasks-per-node=1 --cpus-per-task=2 --output="$work/high-$1.log" --wrap 'sleep 3')
  tell "$1: step 60; job $high of the high partition wants the nodes"
  await 90 "$1 is back in the queue" state_is PENDING
  tell "$1: back in the queue after step $(wc -l <"$work/$1/metrics.jsonl")"
  await 120 "$1 runs again" state_is RUNNING
  tell "$1: runs again (start $(($(of_job Restarts) + 1)))"
  await 400 "$1 ends" ended
  tell "$1: ended"
  [ "$(of_job ExitCode)" = 0:0 ] || fail "$1: exit code $(of_job ExitCode)"
  expect "$1" "start 2: "
  local from
  from=$(sed -n 's/^resumed after step \([0-9]*\) of .*/\1/p' "$work/$1.log")
  [ "${from:-$steps}" -lt $steps ] || fail "$1: resumed after step ${from:-?} of $steps"
  tell "$1: it had resumed after step $from"
  expect "$1" "ended with exit code 0"
  diff <(curve undisturbed) <(curve "$1") >"$work/$1.diff" || fail "$1: other metrics than undisturbed: $(head -n 4 "$work/$1.diff")"
  tell "$1: $(curve "$1" | wc -l) lines of metrics equal those of the undisturbed run"
}

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
# Both nodes are one host with one /dev/shm, where the ranks of "two hosts" would meet.
export OMPI_MCA_btl=tcp,self
cores=1
[ "$(nproc)" -lt 2 ] || cores=2

cd "$work" || exit 1
mkdir -p build/release && ln -sfn "$binary" build/release/trireme
{
  "$binary" synth world --documents 600 --seed 1 &&
    "$binary" tokenizer train --input world/crawl world/wiki --vocab 600 --out tokenizer.json &&
    "$binary" data "$sources/configs/data/quickstart.yaml" --set out=shards --set tokenizer=tokenizer.json \
      --set "sources=[{name: crawl, files: ['world/crawl/*.gz'], kind: wet}]"
} >prepare.out 2>prepare.err || fail "no corpus"
tell "corpus"

configure 60 SlurmctldParameters=preempt_send_user_signal
cluster
tell "$(slurmctld -V), two nodes"

submit undisturbed
await 400 "the undisturbed run" ended
tell "undisturbed: ended"
[ "$(of_job Restarts)" = 0 ] || fail "the undisturbed run was started again"
has_steps undisturbed $steps || fail "the undisturbed run has not all steps"

preempt warned
expect warned "asked to stop (USR1)"
expect warned "ended with exit code 75"

# Without a warning Slurm ends Open MPI's daemons first, and mpirun leaves with an exit code of its own long before this
# grace time is over.
configure 60
scontrol reconfigure || fail "no new configuration"
preempt killed
expect killed "Slurm is preempting this job"
expect killed "back in the queue"
echo "all went on"
