#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the build finds of CUDA in made-up systems and caches, and what it says of each part that is hidden.
set -euo pipefail
sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
failed() { echo "FAILED $*"; failures=$((failures + 1)); }

# toolkit PREFIX RELEASE, cudnn PREFIX, frontend PREFIX, nccl PREFIX: the part, as far as the search looks at it.
toolkit() {
  mkdir -p "$1"/bin "$1"/include/cccl/cub "$1"/lib64
  printf '#!/bin/sh\necho "Cuda compilation tools, release %s, V%s.88"\n' "$2" "$2" >"$1/bin/nvcc"
  chmod +x "$1/bin/nvcc"
  touch "$1"/include/{cuda_runtime,cublasLt,nvrtc}.h "$1/include/cccl/cub/cub.cuh" "$1"/lib64/lib{cudart,cublasLt,nvrtc}.so
}
cudnn() { mkdir -p "$1"/{include,lib} && touch "$1/include/cudnn_graph.h" "$1/lib/libcudnn.so"; }
frontend() { mkdir -p "$1/include" && touch "$1/include/cudnn_frontend.h"; }
nccl() { mkdir -p "$1"/{include,lib} && touch "$1/include/nccl.h" "$1/lib/libnccl.so"; }
everything() { toolkit "$1" 13.0; cudnn "$1"; frontend "$1"; nccl "$1"; }

# missing NAME PARTS PLACES: the script names these parts of the cache and no other.
missing() {
  local found
  found=$(cmake -DTRIREME_CUDA_CACHE="$work/cache" -DTRIREME_CUDA_PLACES="$3" -P "$sources/cmake/CudaParts.cmake" 2>&1 |
    sed -E "s|^$work/cache/([a-z_]+)-[0-9.]+ nvidia-.*==.*|\1|" | tr '\n' ' ')
  if [ "$found" = "$2" ]; then echo "ok $1"; else failed "$1: missing '$found', expected '$2'"; fi
}
# refused NAME TEXT PLACES: configuring stops with this text and with the command that helps.
refused() {
  local rc=0
  rm -rf "$work/build"
  cmake -S "$work/project" -B "$work/build" -DTRIREME_CUDA_CACHE="$work/cache" -DTRIREME_CUDA_PLACES="$3" \
    >"$work/output" 2>&1 || rc=$?
  tr -s ' \n' ' ' <"$work/output" >"$work/line"  # CMake breaks lines where it likes
  if [ $rc -ne 0 ] && grep -qF -- "$2" "$work/line" && grep -qF 'bash launch/setup.sh --cuda' "$work/line"; then
    echo "ok $1"
  else
    failed "$1: exit code $rc, expected to read '$2' in:"
    cat "$work/output"
  fi
}
mkdir "$work/project"
printf 'cmake_minimum_required(VERSION 3.22)\nproject(x NONE)\nlist(APPEND CMAKE_MODULE_PATH %s/cmake)\ninclude(Cuda)\n' \
  "$sources" >"$work/project/CMakeLists.txt"

missing "an empty system" "toolkit cudnn cudnn_frontend nccl " ""
everything "$work/system"
missing "a whole system" "" "$work/system"

rm "$work/system/include/nccl.h"
missing "no NCCL" "nccl " "$work/system"
refused "no NCCL" "not found: NCCL (package libnccl-dev" "$work/system"
nccl "$work/system"; rm "$work/system/lib/libcudnn.so"
missing "no cuDNN" "cudnn " "$work/system"
refused "no cuDNN" "not found: cuDNN (package libcudnn9-dev-cuda-13" "$work/system"
cudnn "$work/system"; rm "$work/system/include/cudnn_frontend.h"
missing "no frontend" "cudnn_frontend " "$work/system"
refused "no frontend" "not found: cuDNN's C++ frontend (Python package nvidia-cudnn-frontend" "$work/system"
frontend "$work/system"; rm "$work/system/lib64/libcublasLt.so"
missing "no cuBLASLt" "toolkit " "$work/system"
refused "no cuBLASLt" "$work/system lacks libcublasLt.so" "$work/system"
toolkit "$work/system" 12.8
missing "an old toolkit" "toolkit " "$work/system"
refused "an old toolkit" "lacks an nvcc that is not of CUDA 13" "$work/system"
refused "nothing at all" "not found: the toolkit of CUDA 13" ""

# The cache stands in for what the system lacks, in the layout of the Python packages.
frontend "$(cmake -DTRIREME_CUDA_CACHE="$work/cache" -DTRIREME_CUDA_PLACES= -P "$sources/cmake/CudaParts.cmake" 2>&1 |
  sed -n 's/\(.*cudnn_frontend[^ ]*\) .*/\1/p')"
missing "the frontend in the cache" "toolkit cudnn nccl " ""

[ $failures -eq 0 ]
