#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Trireme needs to build and test on Debian and Ubuntu: only what is missing, and without a question.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash launch/setup.sh [--cuda] [--dev] [--slurm] [--help]

Installs the Debian or Ubuntu packages that Trireme needs and that are not there yet (Debian 12 and 13, Ubuntu 22.04
and 24.04). Needs root or sudo, and only when something is missing. Asks nothing.

  --cuda   also what the preset cuda is built with, as far as the system lacks it: the CUDA toolkit, cuDNN, its C++
           frontend and NCCL, from Python packages into ~/.cache/trireme/cuda, where the build finds them (up to
           1.3 GB to download, 1.8 GB on disk; as the user who builds; no GPU and no CUDA installation needed)
  --dev    also the formatter and the linters that contributors use (clang-format, clang-tidy, shellcheck)
  --slurm  also Slurm and munge, for the test that runs the batch script (ctest -L slurm)
  --help   this text

exit codes: 0 all is there; 1 something could not be installed; 2 unknown option
TEXT
}

say() { echo "setup: $*"; }
fail() { echo "setup: error: $*" >&2; exit 1; }

# Alternatives are separated by |: any one installed will do, else the first that this release of the system offers.
packages=(
  cmake ninja-build ccache git strace "pkgconf|pkg-config"
  libopenmpi-dev openmpi-bin libdnnl-dev libhdf5-dev hdf5-tools
  libyaml-cpp-dev libfmt-dev nlohmann-json3-dev libboost-program-options-dev
  libgumbo-dev libexpat1-dev libutf8proc-dev libxxhash-dev libnlopt-dev
  libzstd-dev libbz2-dev zlib1g-dev
  libgtest-dev python3 python3-h5py
)
# Version 14 decides how the tree is formatted, so it comes first wherever a system has it.
dev_packages=("clang-format-14|clang-format" "clang-tidy-14|clang-tidy" shellcheck)
slurm_packages=(slurm-wlm munge)

root=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cuda=no
for argument in "$@"; do
  case "$argument" in
    --cuda) cuda=yes ;;
    --dev) packages+=("${dev_packages[@]}") ;;
    --slurm) packages+=("${slurm_packages[@]}") ;;
    --help|-h) usage; exit 0 ;;
    *) echo "setup: unknown option '$argument'" >&2; usage >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "this script knows Debian and Ubuntu only (no dpkg-query or apt-get here);" \
       "cmake/Dependencies.cmake lists every library that the build looks for"
fi

# True when some g++ of version 12 or later is on the path (Ubuntu 22.04's default is 11).
have_compiler() {
  local name version
  for name in g++ g++-12 g++-13 g++-14 g++-15; do
    if version=$("$name" -dumpversion 2>/dev/null) && [ "${version%%.*}" -ge 12 ]; then return 0; fi
  done
  return 1
}

if [ $cuda = yes ] && ! python3 -m pip --version >/dev/null 2>&1; then packages+=(python3-pip); fi

# The parts of CUDA that cmake/CudaParts.cmake misses, each into its folder of the cache, whole or not at all.
install_cuda() {
  [ $cuda = yes ] || return 0
  local missing folder packages
  missing=$(cmake -P "$root/cmake/CudaParts.cmake" 2>&1) || fail "cmake/CudaParts.cmake: $missing"
  [ -n "$missing" ] || { say "all parts of CUDA are there"; return 0; }
  while read -r folder packages; do
    say "installing into $folder: $packages"
    rm -rf "$folder.partial"
    # shellcheck disable=SC2086  # a list of words
    python3 -m pip install --disable-pip-version-check --no-cache-dir --no-deps --no-compile --only-binary=:all: \
      --target "$folder.partial" $packages >"$log" 2>&1 ||
      { tail -n 5 "$log" >&2; rm -rf "$folder.partial"
        fail "pip could not install $packages (its last lines are above): no network, or no such package for this" \
             "Python and processor. With a CUDA toolkit 13, cuDNN and NCCL of the system only the rest is needed"; }
    link_libraries "$folder.partial"
    rm -rf "$folder"
    mv "$folder.partial" "$folder"
  done <<<"$missing"
  missing=$(cmake -P "$root/cmake/CudaParts.cmake" 2>&1)
  [ -z "$missing" ] || fail "installed, and yet cmake/CudaParts.cmake misses: $missing"
}

# Python packages hold libX.so.N alone, in lib: the linker asks for libX.so, and nvcc for lib64.
link_libraries() {
  local library plain lib
  for library in "$1"/nvidia/*/lib/lib*.so.*; do
    [ -e "$library" ] || continue
    plain=${library%%.so.*}.so
    [ -e "$plain" ] || ln -s "${library##*/}" "$plain"
  done
  for lib in "$1"/nvidia/*/lib; do
    if [ -d "$lib" ] && [ ! -e "${lib}64" ]; then ln -s lib "${lib}64"; fi
  done
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' 2>/dev/null || true)"
is_installed() { [[ "$installed" == *" installed=$1 "* ]]; }

missing=()
for entry in "${packages[@]}"; do
  found=no
  IFS='|' read -ra names <<<"$entry"
  for name in "${names[@]}"; do
    if is_installed "$name"; then found=yes; fi
  done
  [ $found = yes ] || missing+=("$entry")
done
need_compiler=no
have_compiler || need_compiler=yes

if [ ${#missing[@]} -eq 0 ] && [ $need_compiler = no ]; then
  say "all packages are there"
  install_cuda
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null ||
    fail "missing: ${missing[*]}$([ $need_compiler = no ] || echo ' g++'): run this as root, or install sudo"
  as_root=(sudo)
  sudo -n true 2>/dev/null || [ -t 0 ] ||
    fail "missing: ${missing[*]}$([ $need_compiler = no ] || echo ' g++'): sudo asks for a password and there is" \
         "no terminal to type it; run as root"
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }

candidate() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '^(none)$' || true; }

# Turns the missing entries into names that this system offers: `choice`, and `unknown` for those that it does not.
choose() {
  choice=() unknown=()
  local entry name picked
  for entry in "${missing[@]}"; do
    picked=
    for name in ${entry//|/ }; do
      if [ -z "$picked" ] && [ -n "$(candidate "$name")" ]; then picked=$name; fi
    done
    if [ -n "$picked" ]; then choice+=("$picked"); else unknown+=("$entry"); fi
  done
  if [ $need_compiler = yes ]; then
    picked=$(candidate g++ | sed 's/^[0-9]*://; s/\..*//')
    if [ -n "$picked" ] && [ "$picked" -ge 12 ]; then
      choice+=(g++)
    elif [ -n "$(candidate g++-12)" ]; then
      choice+=(g++-12)
    else
      unknown+=("g++ (12 or later)")
    fi
  fi
}

choose
say "missing: ${choice[*]}${unknown[*]:+ ${unknown[*]}}"
say "refreshing the package lists"
# One unreachable source is no reason to stop while the lists that are here still name every package.
if ! apt update >"$log" 2>&1 || grep -q '^[WE]: Failed to fetch' "$log"; then
  grep '^[WE]:' "$log" >&2 || cat "$log" >&2
  say "some package lists could not be refreshed (no network?): going on with those that are here"
fi
choose
[ ${#unknown[@]} -eq 0 ] ||
  fail "no package source of this system offers: ${unknown[*]}. Check the network and the sources of apt" \
       "(on Ubuntu, 'universe' must be enabled), then run this again"

say "installing: ${choice[*]}"
if ! apt install -y --no-install-recommends "${choice[@]}" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  if grep -qE 'Could not resolve|Could not connect|Connection (failed|timed out|refused)|Unable to fetch' "$log"; then
    fail "the packages could not be downloaded: no network, or the mirror is down. Nothing else was changed;" \
         "run this again when the network is there"
  fi
  fail "apt-get could not install the packages; its last lines are above"
fi
have_compiler || fail "no g++ of version 12 or later after the installation"
install_cuda
say "done"
