#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# launch/bundle.sh and tests/gpu.sh on a made-up build folder whose programs are copies of true and false.
set -euo pipefail
sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for tool in strip readelf ldd xz python3; do
  command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect NAME RC TEXT COMMAND...: the exit code, and a part of what is said.
expect() {
  local name=$1 rc=$2 text=$3 got=0
  shift 3
  "$@" >"$work/output" 2>&1 </dev/null || got=$?
  if [ $got -eq "$rc" ] && { [ -z "$text" ] || grep -qF -- "$text" "$work/output"; }; then
    echo "ok $name"
  else
    echo "FAILED $name: exit code $got (expected $rc), expected to read '$text' in:"
    cat "$work/output"
    failures=$((failures + 1))
  fi
}
# build_folder PROGRAM: a build whose one GPU test is that program, in an environment of its own; another has none.
build_folder() {
  mkdir -p "$work/tree/build/fake"
  cp "$(type -P true)" "$work/tree/build/fake/trireme"
  cp "$(type -P "$1")" "$work/tree/build/fake/some_test"
  cp "$(type -P true)" "$work/tree/build/fake/other_test"
  cat >"$work/tree/build/fake/CTestTestfile.cmake" <<TEXT
add_test(cuda_some_test $work/tree/build/fake/some_test --filter=x)
set_tests_properties(cuda_some_test PROPERTIES LABELS gpu ENVIRONMENT "TRIREME_TEST_DEVICE=cuda;OTHER=1")
add_test(cuda_other_test $work/tree/build/fake/other_test)
set_tests_properties(cuda_other_test PROPERTIES LABELS gpu)
add_test(cpu_test $work/tree/build/fake/cpu_test)
TEXT
}
mkdir -p "$work"/tree/{launch,tests/golden/model,configs}
cp "$sources/launch/bundle.sh" "$work/tree/launch/"
cp "$sources/tests/gpu.sh" "$work/tree/tests/"
bundle=(bash "$work/tree/launch/bundle.sh")
out=$work/tree/build/out

expect "help" 0 "usage: bash launch/bundle.sh" "${bundle[@]}" --help
expect "an unknown argument" 2 "unknown argument '--fast'" "${bundle[@]}" --fast
expect "a value left out" 2 "--out needs a value" "${bundle[@]}" --out
expect "nothing is built" 1 "build/cuda/trireme is not built: cmake --build --preset cuda" "${bundle[@]}"
build_folder true
expect "a folder of somebody else" 2 "is there and is no bundle" "${bundle[@]}" --preset fake --out "$work/tree/configs"
[ -d "$work/tree/configs" ] || { echo "FAILED: it was removed"; failures=$((failures + 1)); }
expect "a bundle" 0 "bundle: $out" "${bundle[@]}" --preset fake --out "$out"
expect "it runs" 0 "" "$out/run" trireme
expect "a program that it has not" 2 "other_test, some_test, trireme" "$out/run" no_such_program
expect "its tests pass" 0 "passed  cuda_other_test" bash "$out/tests/gpu.sh"
expect "an unknown argument to the tests" 2 "unknown argument '--fast'" bash "$out/tests/gpu.sh" --fast
build_folder false
expect "another one in its place, and packed" 0 "out.tar.xz" "${bundle[@]}" --preset fake --out "$out" --tar
mkdir "$work/elsewhere"
expect "unpacked elsewhere" 0 "" tar -C "$work/elsewhere" -xf "$out.tar.xz"
expect "a test that fails" 1 "failed: cuda_some_test" bash "$work/elsewhere/out/tests/gpu.sh"
rm "$work/tree/build/fake/some_test"
expect "a test that is not built" 1 "cuda_some_test" "${bundle[@]}" --preset fake --out "$out"

[ $failures -eq 0 ]
