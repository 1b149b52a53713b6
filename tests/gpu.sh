#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests labelled gpu: those of a build tree (preset cuda), or of the bundle that this file is in.
set -uo pipefail

case "${1:-}" in
  '') ;;
  --help|-h) echo "usage: bash tests/gpu.sh    exit code: 0 all passed or skipped, 1 some failed"; exit 0 ;;
  *) echo "tests/gpu.sh: unknown argument '$1'" >&2; exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
if [ ! -f tests/gpu_tests.tsv ]; then
  cmake --preset cuda && cmake --build --preset cuda || exit 1
  exec ctest --test-dir build/cuda -L '^gpu$' --no-tests=error --output-on-failure
fi

failed=()
ran=0
while IFS=$'\t' read -r name environment program arguments; do
  started=$SECONDS
  ran=$((ran + 1))
  # shellcheck disable=SC2086  # lists of words
  if env $environment TRIREME_TEST_SOURCES="$PWD" timeout 300 ./run "$program" ${arguments//$'\t'/ } > "/tmp/$name.log" 2>&1; then
    echo "passed  $name  $((SECONDS - started)) s  $(grep -E '^\[  (PASSED|SKIPPED)' "/tmp/$name.log" | tr '\n' ' ')"
  else
    echo "FAILED  $name  $((SECONDS - started)) s"
    grep -E '^\[  FAILED|Failure|^  |error' "/tmp/$name.log" | head -n 25
    tail -n 3 "/tmp/$name.log"
    failed+=("$name")
  fi
done < tests/gpu_tests.tsv
[ ${#failed[@]} -eq 0 ] || { echo "tests/gpu.sh: failed: ${failed[*]}"; exit 1; }
[ $ran -gt 0 ] || { echo "tests/gpu.sh: tests/gpu_tests.tsv names no test: make the bundle from a build with its tests" >&2; exit 1; }
echo "tests/gpu.sh: all $ran passed"
