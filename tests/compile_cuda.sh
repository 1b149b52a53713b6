#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles and links the preset cuda on a machine that need not have a GPU or CUDA: what CI does with the CUDA sources.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash tests/compile_cuda.sh [--help]

Installs the parts of CUDA that are missing (launch/setup.sh --cuda), then builds the binary with the preset cuda for
one GPU generation (sm_90), and some kernels for the next (sm_100), in build/cuda-compile. Warnings are errors. What is
not CUDA's comes from ccache where another preset has compiled it.

exit codes: 0 it compiles; 1 it does not; 2 wrong usage; 77 the parts of CUDA could not be installed
TEXT
}

case "${1:-}" in
  '') ;;
  --help|-h) usage; exit 0 ;;
  *) echo "tests/compile_cuda.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash launch/setup.sh --cuda || exit 77
started=$SECONDS
build=build/cuda-compile
cmake --preset cuda -B $build -DTRIREME_WERROR=ON -DTRIREME_TESTS=OFF -DTRIREME_CUDA_ARCHITECTURES=90-real
cmake --build $build -j "$(nproc)" --target trireme trireme_sm100
echo "tests/compile_cuda.sh: the preset cuda compiles and links, in $((SECONDS - started)) s"
