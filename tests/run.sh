#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, configures, builds and runs the tests: the one way to test Trireme, here and in CI.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash tests/run.sh [--preset NAME] [-L LABEL] [-R NAME] [--help]

Installs what is missing (launch/setup.sh), builds build/PRESET and runs the tests. Without -L or -R: all tests except
those labelled bench, oracle, gpu or long.

  --preset NAME   release (default), dev (address and undefined-behaviour sanitizers), tsan (thread sanitizer)
  -L LABEL        only tests whose label matches this regular expression: cpu, mpi, e2e, house, fuzz, bench, oracle, gpu, long,
                  slurm
  -R NAME         only tests whose name matches this regular expression
  --help          this text

environment: TRIREME_WERROR=ON   warnings are errors
             TRIREME_SAMPLES     folder of sample inputs; tests that need it are skipped without it

The last lines are ctest's summary. Exit code: 0 all passed, 2 wrong usage, otherwise something failed.
TEXT
}

preset=release
selection=()
while [ $# -gt 0 ]; do
  case "$1" in
    --preset|-L|-R)
      [ $# -ge 2 ] || { echo "tests/run.sh: $1 needs a value" >&2; usage >&2; exit 2; }
      if [ "$1" = --preset ]; then preset=$2; else selection+=("$1" "$2"); fi
      shift 2 ;;
    --help|-h) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
done
[ ${#selection[@]} -gt 0 ] || selection=(-LE '^(bench|oracle|gpu|long)$')

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash launch/setup.sh

# Open MPI: tests may run as root in a container, with more ranks than cores, which must then yield to one another.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none

cmake --preset "$preset" -DTRIREME_WERROR="${TRIREME_WERROR:-OFF}"
cmake --build --preset "$preset" -j "$(nproc)"
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "${selection[@]}"
