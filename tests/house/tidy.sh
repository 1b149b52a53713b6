#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy 14 over the sources that a configured build compiles; every finding is an error.
set -euo pipefail

usage="usage: bash tests/house/tidy.sh BUILD_FOLDER [PATH_PREFIX...]    e.g. build/release core/io"
[ $# -ge 1 ] || { echo "$usage" >&2; exit 2; }
build=$(cd "$1" && pwd)
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ -f "$build/compile_commands.json" ] || { echo "tidy: $build is not configured: cmake --preset release" >&2; exit 2; }

linter=
for name in clang-tidy-14 clang-tidy; do
  if "$name" --version 2>/dev/null | grep -q 'version 14\.'; then linter=$name; break; fi
done
[ -n "$linter" ] || { echo "tidy: no clang-tidy of version 14: bash launch/setup.sh --dev" >&2; exit 1; }

# The sources of the tree that this build compiles, without what it generated itself.
mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
  sed -n "s|^$PWD/||p" | grep -v '^build/' | sort -u)
if [ $# -gt 0 ]; then
  selected=()
  for file in "${files[@]}"; do
    for prefix in "$@"; do [[ "$file" != "$prefix"* ]] || selected+=("$file"); done
  done
  files=("${selected[@]}")
fi
[ ${#files[@]} -gt 0 ] || { echo "tidy: no source matches: $*" >&2; exit 2; }

printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "$linter" -p "$build" --quiet --extra-arg=-isystem"$PWD/tests/house/tidy" \
    2> >(grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? generated\.$|^Suppressed |^Use -header-filter' >&2)
echo "tidy: ${#files[@]} sources, no finding"
