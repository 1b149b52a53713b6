#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on one machine, from nothing: a synthetic world, a tokenizer, token shards, a model trained by two MPI
# ranks, interrupted and resumed, and an exam before and after.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash launch/quickstart.sh [--dir DIR] [--ranks N] [--data] [--json] [--help]

  --dir DIR    where everything is written (default runs/quickstart); removed first if this script made it
  --ranks N    MPI ranks: 1, 2, 4, 8, 16 or 32 (default 2)
  --data       stop when the token shards are there; a study needs no more (configs/sweeps/quickstart.yaml)
  --json       end with one JSON object on stdout; everything else goes to stderr
  --help       this text
TEXT
}

dir=runs/quickstart
ranks=2
json=no
data_only=no
while [ $# -gt 0 ]; do
  case "$1" in
    --dir|--ranks)
      [ $# -ge 2 ] || { echo "quickstart: $1 needs a value" >&2; exit 2; }
      if [ "$1" = --dir ]; then dir=$2; else ranks=$2; fi
      shift 2 ;;
    --json) json=yes; shift ;;
    --data) data_only=yes; shift ;;
    --help|-h) usage; exit 0 ;;
    *) echo "quickstart: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
done

case "$ranks" in 1|2|4|8|16|32) ;; *) echo "quickstart: --ranks $ranks; expected 1, 2, 4, 8, 16 or 32" >&2; exit 2 ;; esac

started=$SECONDS
invoked=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "$dir" in /*) ;; runs/*) ;; *) dir=$invoked/$dir ;; esac
exec 3>&1
[ $json = no ] || exec 1>&2

step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }
# The number or word of a key in a line of JSON.
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p" <<<"$2" | head -n 1; }
# The accuracy over all questions, in percent.
accuracy() { sed -n 's/.*"micro":{"accuracy":\([0-9.e-]*\).*/\1/p' <<<"$1" | awk '{printf "%.1f", 100 * $1}'; }

# How far a build is, of the lines that it prints: rewritten on a terminal, every 15 s elsewhere. What is not such a line
# (a compiler's message) is passed on.
build_progress() {
  local line last=$SECONDS at='' open=no
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      at="building: $((100 * BASH_REMATCH[1] / BASH_REMATCH[2])) % (${BASH_REMATCH[1]} of ${BASH_REMATCH[2]})"
      if [ -t 1 ]; then
        printf '\r%s\033[K' "$at"; open=yes
      elif [ $((SECONDS - last)) -ge 15 ] || [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]; then
        printf '%s\n' "$at"; last=$SECONDS
      fi
    else
      [ $open = no ] || printf '\n'
      open=no
      printf '%s\n' "$line"
    fi
  done
  [ $open = no ] || printf '\n'
}

# More ranks than cores must yield to one another; in a container Open MPI may run as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
trireme=build/release/trireme
run() { mpirun -n "$ranks" "$trireme" "$@"; }

step "Setting up and building"
bash launch/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target trireme -j "$(nproc)" 2>&1 | build_progress

if [ -e "$dir" ]; then
  [ -e "$dir/.quickstart" ] || { echo "quickstart: $dir exists and is not from an earlier quickstart; give another --dir" >&2; exit 2; }
  rm -rf "$dir"
fi
mkdir -p "$dir"
touch "$dir/.quickstart"

step "A synthetic world: crawl and wiki files, and an exam about them"
$trireme synth "$dir/world" --documents 40000 --seed 1

step "A tokenizer of its own"
$trireme tokenizer train --input "$dir/world/crawl" "$dir/world/wiki" --vocab 2048 --out "$dir/tokenizer.json"

step "Token shards, by $ranks ranks (the world has damaged records on purpose: they are counted and passed over)"
data=$(run data configs/data/quickstart.yaml --set "out=$dir/shards" --set "tokenizer=$dir/tokenizer.json" \
  --set "sources=[{name: crawl, files: ['$dir/world/crawl/*.gz'], kind: wet}, {name: wiki, files: ['$dir/world/wiki/*articles-multistream.xml.bz2'], kind: wiki}]" --json)

if [ $data_only = yes ]; then
  step "Done: the token shards are in $dir/shards"
  [ $json = no ] || printf '{"documents": %s, "tokens": %s, "seconds": %d}\n' \
    "$(field documents "$data")" "$(field tokens "$data")" $((SECONDS - started)) >&3
  exit 0
fi

micro=$((32 / ranks < 16 ? 32 / ranks : 16))  # of the 32 samples of a step
train=(train configs/train/quickstart.yaml --set "train.micro_batch=$micro" --set "run.dir=$dir/run" --set "data.shards=['$dir/shards']")
step "Training, by $ranks ranks, interrupted on purpose after a third"
mpirun -n "$ranks" $trireme "${train[@]}" &
job=$!
while kill -0 $job 2>/dev/null && [ "$(cat "$dir/run/metrics.jsonl" 2>/dev/null | wc -l)" -lt 500 ]; do sleep 0.5; done
kill -USR1 $job 2>/dev/null || true
stopped=0
wait $job || stopped=$?
[ "$stopped" = 75 ] || { echo "quickstart: expected exit code 75 (stopped after a checkpoint), got $stopped" >&2; exit 1; }

step "The exam before training"
before=$(run eval "$dir/run" --untrained --tasks mmlu --data "$dir/world/exam" --json)

step "The same command again: it resumes"
trained=$(run "${train[@]}" --json)

step "The exam after training"
after=$(run eval "$dir/run" --tasks mmlu --data "$dir/world/exam" --json)

step "Done"
[ "$PWD" = "$invoked" ] || echo "The commands below run in $PWD."
[ "$(id -u)" -ne 0 ] || echo "As root, first: export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
cat <<TEXT
loss $(field loss_first "$trained") -> $(field loss_last "$trained"), exam $(accuracy "$before") % -> $(accuracy "$after") % (chance: 25 %)
the loss curve:       $dir/run/loss.svg
what is in the run:   $trireme inspect $dir/run
five worked examples: mpirun -n $ranks $trireme eval $dir/run --data $dir/world/exam --shots 5
a bigger model:       mpirun -n $ranks $trireme train configs/train/quickstart.yaml --set run.dir=$dir/bigger \\
                        --set "data.shards=['$dir/shards']" --set model.layers=6 --set model.width=256 --set model.feed_forward=1024
TEXT
if [ $json = yes ]; then
  printf '{"exam_before": %s, "exam_after": %s, "loss_first": %s, "loss_last": %s, "documents": %s, "tokens": %s, "seconds": %d}\n' \
    "$(accuracy "$before")" "$(accuracy "$after")" "$(field loss_first "$trained")" "$(field loss_last "$trained")" \
    "$(field documents "$data")" "$(field tokens "$data")" $((SECONDS - started)) >&3
fi
