#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two hosts for real: two network namespaces with host names and addresses of their own, joined by a bridge, and mpirun
# across them through an agent. Training across them must end by itself, name the culprit and go on with the same command
# when the cable is cut (noticed by the launcher, or by the watchdog), a rank is killed, and a rank is stopped. Usage: two_nodes.sh BINARY MPIRUN SOURCES [MESH...]
# Needs root, ip and unshare; leaves with 77 (skipped) and a reason where it cannot make namespaces.
set -u

binary=$(realpath "$1")
mpirun=$(realpath "$2")
sources=$(realpath "$3")
shift 3
[ $# -gt 0 ] || set -- --set mesh.tensor=2 --set mesh.shard=2
mesh=("$@")

seconds=6    # of the watchdog
keepalive=2  # of the launcher, below the watchdog's seconds, as it should be
limit=60     # seconds in which a job must have ended after its fault, on a busy machine

tag=trm$$
bridge=${tag}b
first=${tag}n1
second=${tag}n2
work=$(mktemp -d /tmp/trireme-two-nodes-XXXXXX)
job=

# What still runs in a namespace, killed by id; names of what was made are our own.
end_of() { ip netns pids "$1" 2>/dev/null | xargs -r kill -KILL 2>/dev/null; }
cleanup() {
  trap - EXIT
  for node in $first $second; do
    end_of "$node"
    ip -n "$node" link del eth0 2>/dev/null
    ip netns del "$node" 2>/dev/null
    rm -rf "/etc/netns/$node"
  done
  rmdir /etc/netns 2>/dev/null
  ip link del "$bridge" 2>/dev/null
  [ -n "$job" ] && kill -KILL "$job" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

skip() {
  echo "SKIPPED: $1"
  exit 77
}
fail() {
  echo "FAILED: $1"
  for log in "$work"/*.err; do
    echo "--- $log"
    tail -n 40 "$log"
  done
  exit 1
}

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null && command -v unshare >/dev/null || skip "ip or unshare is not installed"
ip link add "$bridge" type bridge 2>"$work/why" || skip "no bridge can be made: $(cat "$work/why")"
# Addresses of a subnet that depends on our number, so that two of these tests do not meet.
subnet=10.$((77 + $$ / 250 % 100)).$(($$ % 250 + 1))
ip link set "$bridge" up || skip "the bridge cannot be set up"
for i in 1 2; do
  node=${tag}n$i
  ip netns add "$node" 2>"$work/why" || skip "no network namespace can be made: $(cat "$work/why")"
  ip link add "${tag}v$i" type veth peer name eth0 netns "$node" 2>"$work/why" || skip "no veth: $(cat "$work/why")"
  ip link set "${tag}v$i" master "$bridge" up
  ip -n "$node" addr add "$subnet.$i/24" dev eth0
  ip -n "$node" link set eth0 up
  ip -n "$node" link set lo up
  mkdir -p "/etc/netns/$node"  # what `ip netns exec` puts over /etc
  printf '127.0.0.1 localhost\n%s.1 %s\n%s.2 %s\n' "$subnet" "$first" "$subnet" "$second" >"/etc/netns/$node/hosts"
done

# agent HOST COMMAND...: what ssh would do.
cat >"$work/agent" <<'AGENT'
#!/bin/sh
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c 'hostname "$0"; exec sh -c "$1"' "$host" "$*"
AGENT
chmod +x "$work/agent"
unshare --uts true 2>/dev/null || skip "no host name of its own can be given to a process"

# train DIR WATCHDOG KEEPALIVE: the whole command in the background, as job $job; the output goes to DIR.err. The launcher
# asks its daemons whether they live after KEEPALIVE seconds of silence.
train() {
  "$work/agent" "$first" env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none OMP_NUM_THREADS=1 \
    "$mpirun" --mca plm rsh --mca plm_rsh_agent "$work/agent" --mca btl tcp,self,vader \
    --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
    --mca oob_tcp_keepalive_time "$3" --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2 \
    --oversubscribe --host "$first:2,$second:2" -np 4 \
    "$binary" train "$sources/configs/train/tiny_gpt2.yaml" "${mesh[@]}" --set "run.dir=$work/$1" \
    --set "data.shards=[$work/shards]" --set model.layers=2 --set model.width=32 --set model.head_size=8 \
    --set model.feed_forward=64 --set train.sequence=64 --set train.steps=400 --set checkpoint.every=20 \
    --set eval.every=0 --set eval.samples=4 --set cpu.threads=1 --set "watchdog.seconds=$2" \
    >"$work/$1.out" 2>"$work/$1.err" </dev/null &
  job=$!
}
steps() { grep -c '"loss"' "$work/$1/metrics.jsonl" 2>/dev/null || true; }
await_step() {
  for _ in $(seq 1200); do
    [ "$(steps "$1")" -ge "$2" ] 2>/dev/null && return
    kill -0 "$job" 2>/dev/null || fail "$1: the job ended before step $2"
    sleep 0.05
  done
  fail "$1: step $2 was not reached in a minute"
}
# The process that is rank $2 of the job in folder $1.
rank_of() {
  for node in $first $second; do
    for id in $(ip netns pids "$node"); do
      [ "$(cat "/proc/$id/comm" 2>/dev/null)" = trireme ] || continue
      tr '\0' '\n' <"/proc/$id/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2" || continue
      echo "$id"
      return
    done
  done
}
# Waits for the job's end; its exit code in $code.
await_end() {
  local began=$SECONDS
  while kill -0 "$job" 2>/dev/null; do
    [ $((SECONDS - began)) -lt $limit ] || fail "$1: the job still runs $limit s after its fault"
    sleep 0.1
  done
  wait "$job"
  code=$?
  job=
  echo "$1: ended after $((SECONDS - began)) s with exit code $code"
  [ $code -ne 0 ] && [ $code -ne 75 ] || fail "$1: exit code $code"
}
expect() {
  grep -q "$2" "$work/$1.err" || fail "$1: nothing says \"$2\""
  grep -h "$2" "$work/$1.err" | head -n 1
}
expect_resumed() {
  train "$1" $seconds $keepalive
  wait "$job"
  code=$?
  job=
  [ $code -eq 0 ] || fail "$1: started again, exit code $code"
  expect "$1" 'resumed after step'
  [ "$(steps "$1")" = 400 ] || fail "$1: $(steps "$1") of 400 steps"
}
# All ranks on both nodes have ended by themselves.
expect_no_ranks() {
  local began=$SECONDS left
  while [ $((SECONDS - began)) -lt $limit ]; do
    left=
    for node in $first $second; do
      for id in $(ip netns pids "$node"); do
        [ "$(cat "/proc/$id/comm" 2>/dev/null)" = trireme ] && left="$left $id"
      done
    done
    [ -z "$left" ] && echo "$1: no rank is left after $((SECONDS - began)) s more" && return
    sleep 0.1
  done
  fail "$1: processes$left still run"
}

cd "$work" || exit 1
{
  "$binary" synth world --documents 600 --seed 1 &&
    "$binary" tokenizer train --input world/crawl world/wiki --vocab 600 --out tokenizer.json &&
    "$binary" data "$sources/configs/data/quickstart.yaml" --set out=shards --set tokenizer=tokenizer.json \
      --set "sources=[{name: crawl, files: ['world/crawl/*.gz'], kind: wet}]"
} >prepare.out 2>prepare.err || fail "no corpus"

cut_cable() {
  await_step "$1" 60
  ip -n "$second" link set eth0 down
}
mend_cable() {
  ip -n "$second" link set eth0 up
  end_of "$second"  # the launcher's daemon there, which nobody will reach any more
}

echo "== the cable is cut, and the launcher notices"
train cut 60 $keepalive
cut_cable cut
await_end cut
expect cut "Remote daemon: .* on node $second"
mend_cable  # the ranks there wait for the watchdog's seconds
expect_resumed cut

echo "== the cable is cut, and the launcher does not notice"
train unnoticed $seconds 300
cut_cable unnoticed
expect_no_ranks unnoticed
expect unnoticed "watchdog: ranks 2, 3 on $second have not answered for "
expect unnoticed "rank 3 on $second: step "
end_of "$first"  # the launcher: it would wait for its daemon until TCP gives up
{ wait "$job"; } 2>/dev/null
job=
mend_cable
expect_resumed unnoticed

echo "== a rank is killed"
train killed $seconds $keepalive
await_step killed 60
kill -KILL "$(rank_of killed 3)"
await_end killed
expect killed "rank 3 "
expect_resumed killed

echo "== a rank is stopped"
train stopped $seconds $keepalive
await_step stopped 60
kill -STOP "$(rank_of stopped 2)"
await_end stopped
[ $code -eq 1 ] || fail "stopped: exit code $code"
expect stopped "watchdog: rank 2 on $second has not answered for "
expect_resumed stopped
echo "all went on"
