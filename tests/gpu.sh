#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests labelled gpu: those of a build tree (preset cuda), or of the bundle that this file is in.
set -uo pipefail

usage='usage: bash tests/gpu.sh [--only REGEX]    exit code: 0 all passed or skipped, 1 some failed
  --only REGEX   only the tests whose names it is found in'
only=.
case "${1:-}" in
  '') ;;
  --help|-h) echo "$usage"; exit 0 ;;
  --only) [ $# -eq 2 ] || { echo "tests/gpu.sh: --only needs a value" >&2; exit 2; }; only=$2 ;;
  *) echo "tests/gpu.sh: unknown argument '$1'" >&2; exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
if [ ! -f tests/gpu_tests.tsv ]; then
  cmake --preset cuda && cmake --build --preset cuda || exit 1
  exec ctest --test-dir build/cuda -L '^gpu$' -R "$only" --no-tests=error --output-on-failure
fi

# Open MPI: as root in a container, ranks that share cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
export GTEST_COLOR=no
export NCCL_NVLS_ENABLE=0  # tests leave the links' multicast alone, which is the whole host's
export TRIREME_TEST_SOURCES=$PWD TRIREME_TEST_BINARY=$PWD/bin/trireme TRIREME_TEST_MPIEXEC=mpirun
gpus=64  # where nobody can be asked, the tests look for themselves
! command -v nvidia-smi > /dev/null || gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU')
failed=()
ran=0
skipped=0
while IFS=$'\t' read -r name ranks environment program arguments; do
  [[ $name =~ $only ]] || continue
  needed=$(sed -n 's/.*TRIREME_TEST_GPUS=\([0-9]*\).*/\1/p' <<< "$environment")
  if [ "${needed:-0}" -gt "$gpus" ]; then
    echo "skipped $name: it needs ${needed:-0} GPUs, and there are $gpus"
    skipped=$((skipped + 1))
    continue
  fi
  start=()
  [ "$ranks" -eq 0 ] || start=(mpirun -n "$ranks")
  started=$SECONDS
  ran=$((ran + 1))
  # shellcheck disable=SC2086  # lists of words
  if env $environment timeout 300 "${start[@]}" ./run "$program" ${arguments//$'\t'/ } < /dev/null > "/tmp/$name.log" 2>&1; then
    echo "passed  $name  $((SECONDS - started)) s  $(grep -E '^\[  (PASSED|SKIPPED)' "/tmp/$name.log" | tr '\n' ' ')"
  else
    echo "FAILED  $name  $((SECONDS - started)) s"
    grep -E '^\[  FAILED|Failure|^  |^rank |error' "/tmp/$name.log" | head -n 25
    tail -n 3 "/tmp/$name.log"
    failed+=("$name")
  fi
done < tests/gpu_tests.tsv
[ ${#failed[@]} -eq 0 ] || { echo "tests/gpu.sh: failed: ${failed[*]}"; exit 1; }
[ $((ran + skipped)) -gt 0 ] || { echo "tests/gpu.sh: tests/gpu_tests.tsv names no test: make the bundle from a build with its tests" >&2; exit 1; }
echo "tests/gpu.sh: all $ran passed, $skipped skipped for want of GPUs"
