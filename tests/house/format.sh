#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds every C++ file against .clang-format (exit code 77: no clang-format 14 here); --fix rewrites the files instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case "${1:-}" in
  "") mode=(--dry-run --Werror) ;;
  --fix) mode=(-i) ;;
  *) echo "usage: bash tests/house/format.sh [--fix]" >&2; exit 2 ;;
esac

# Other versions break lines differently: one version decides.
formatter=
for name in clang-format-14 clang-format; do
  if "$name" --version 2>/dev/null | grep -q 'version 14\.'; then formatter=$name; break; fi
done
if [ -z "$formatter" ]; then
  echo "format: skipped: no clang-format of version 14 (bash launch/setup.sh --dev)"
  exit 77
fi
rooms=()
for room in core kernels parallel data_pipeline launch tests; do [ ! -d $room ] || rooms+=("$room"); done
find "${rooms[@]}" -regex '.*\.\(h\|cpp\|cu\|cuh\)' -print0 | xargs -0 -r "$formatter" "${mode[@]}"
