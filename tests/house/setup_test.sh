#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# launch/setup.sh in made-up systems: stand-ins for dpkg-query, apt-get, apt-cache, id, sudo, g++, cmake and Python on an
# otherwise empty path say what is installed, what is on offer, and whether there is a network. Nothing real is installed.
set -euo pipefail
setup=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/launch/setup.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

everything="cmake ninja-build ccache git strace pkg-config libopenmpi-dev openmpi-bin libdnnl-dev libhdf5-dev hdf5-tools
libyaml-cpp-dev libfmt-dev nlohmann-json3-dev libboost-program-options-dev libgumbo-dev libexpat1-dev libutf8proc-dev
libxxhash-dev libnlopt-dev libzstd-dev libbz2-dev zlib1g-dev libgtest-dev python3 python3-h5py"

# system INSTALLED OFFERED(name=version ...) UID: a fresh system with root or not, with a network, g++ 12, no sudo.
system() {
  rm -rf "${work:?}/bin" "$work/state"
  mkdir "$work/bin" "$work/state"
  for tool in bash sed grep tail cat rm mv ln mktemp env; do ln -s "$(command -v $tool)" "$work/bin/$tool"; done
  printf '%s\n' $1 >"$work/state/installed"
  printf '%s\n' $2 >"$work/state/offered"
  stand_in id "echo $3"
  compiler 12
  stand_in dpkg-query "while read -r p; do printf 'installed=%s ' \$p; done <$work/state/installed"
  stand_in apt-cache "v=\$(sed -n \"s/^\$2=//p\" $work/state/offered); echo \$2:; echo \"  Candidate: \${v:-(none)}\""
  stand_in apt-get "echo \"\$@\" >>$work/state/calls
    case \"\$*\" in *install*g++-12*) printf '#!/bin/bash\necho 12\n' >$work/bin/g++-12; $(command -v chmod) +x $work/bin/g++-12;; esac
    [ ! -e $work/state/offline ] || { echo 'E: Unable to fetch some archives'; echo 'W: Failed to fetch x: Could not resolve x'; exit 100; }"
  : >"$work/state/calls"
}
stand_in() { printf '#!/bin/bash\n%s\n' "$2" >"$work/bin/$1" && chmod +x "$work/bin/$1"; }
compiler() { stand_in g++ "echo $1"; }

# expect NAME RC TEXT [ARGUMENT...]: the exit code, and a part of what is said.
expect() {
  local name=$1 rc=$2 text=$3 got=0
  shift 3
  PATH="$work/bin" bash "$setup" "$@" >"$work/output" 2>&1 </dev/null || got=$?
  if [ $got -ne "$rc" ] || ! grep -qF -- "$text" "$work/output"; then
    echo "FAILED $name: exit code $got (expected $rc), expected to read '$text' in:"
    cat "$work/output"
    failures=$((failures + 1))
  else
    echo "ok $name"
  fi
}
# expect_install NAME WORDS: apt-get was asked for exactly these packages; '' for no call at all.
expect_install() {
  local asked
  asked=$(sed -n 's/.*--no-install-recommends //p' "$work/state/calls")
  if [ "$asked" != "$2" ]; then
    echo "FAILED $1: installed '$asked', expected '$2'"
    failures=$((failures + 1))
  fi
}
without() { local out=" ${everything//$'\n'/ } "; for p in "$@"; do out=${out/ $p / }; done; echo "$out"; }

system "$everything" "" 1000
expect "nothing missing needs no root" 0 "all packages are there"
expect_install "nothing missing" ""
expect "unknown option" 2 "unknown option '--fast'" --fast
expect "help" 0 "usage: bash launch/setup.sh" --help

system "$(without libgumbo-dev strace)" "libgumbo-dev=0.10.1 strace=6.1" 0
expect "root installs what is missing" 0 "installing: strace libgumbo-dev"
expect_install "only what is missing" "strace libgumbo-dev"

system "$(without libgumbo-dev)" "libgumbo-dev=0.10.1" 1000
expect "neither root nor sudo" 1 "missing: libgumbo-dev: run this as root, or install sudo"
expect_install "neither root nor sudo" ""
stand_in sudo '[ "$1" != -n ] || exit 0; exec "$@"'
expect "sudo" 0 "setup: done"
expect_install "sudo" "libgumbo-dev"
stand_in sudo 'exit 1'
expect "sudo with a password and no terminal" 1 "no terminal to type it"

system "$(without libgumbo-dev)" "libgumbo-dev=0.10.1" 0
touch "$work/state/offline"
expect "no network" 1 "the packages could not be downloaded: no network"

system "$(without libdnnl-dev)" "" 0
expect "nobody offers it" 1 "no package source of this system offers: libdnnl-dev"

system "$everything" "g++=4:11.2.0-1ubuntu1 g++-12=12.3.0 clang-format=1:14.0-55 clang-tidy-14=14.0.0 shellcheck=0.9.0" 0
compiler 11
expect "an old default compiler" 0 "installing: clang-format clang-tidy-14 shellcheck g++-12" --dev
expect_install "an old default compiler" "clang-format clang-tidy-14 shellcheck g++-12"

system "$everything" "slurm-wlm=22.05.8 munge=0.5.15" 0
expect "Slurm" 0 "installing: slurm-wlm munge" --slurm

# parts_of_cuda: cmake misses the toolkit and NCCL until their folders are there; pip fills a folder as packages would.
parts_of_cuda() {
  rm -rf "$work/cache"
  stand_in cmake "[ -d $work/cache/toolkit-1 ] || echo '$work/cache/toolkit-1 nvidia-a==1.0 nvidia-b==2.0'
    [ -d $work/cache/nccl-2 ] || echo '$work/cache/nccl-2 nvidia-c==2.0'"
  stand_in python3 "case \"\$*\" in '-m pip --version') exit 0 ;; esac
    echo \"\$@\" >>$work/state/pip
    while [ \$# -gt 0 ]; do [ \$1 != --target ] || folder=\$2; shift; done
    $(command -v mkdir) -p \$folder/nvidia/x/lib
    : >\$folder/nvidia/x/lib/libx.so.13
    [ ! -e $work/state/offline ] || { echo 'ERROR: no matching distribution'; exit 1; }"
  : >"$work/state/pip"
}
system "$everything" "" 1000
parts_of_cuda
expect "without --cuda nothing of CUDA" 0 "all packages are there"
[ ! -s "$work/state/pip" ] || { echo "FAILED: pip was called without --cuda"; failures=$((failures + 1)); }
expect "the parts of CUDA" 0 "installing into $work/cache/nccl-2: nvidia-c==2.0" --cuda
if ! grep -q -- "--target $work/cache/toolkit-1.partial nvidia-a==1.0 nvidia-b==2.0" "$work/state/pip" ||
  [ "$(readlink "$work/cache/toolkit-1/nvidia/x/lib/libx.so")" != libx.so.13 ] ||
  [ "$(readlink "$work/cache/nccl-2/nvidia/x/lib64")" != lib ]; then
  echo "FAILED the parts of CUDA: pip was called so, and left this:"
  cat "$work/state/pip"; ls -lR "$work/cache"
  failures=$((failures + 1))
fi
: >"$work/state/pip"
expect "the parts of CUDA again" 0 "all parts of CUDA are there" --cuda
[ ! -s "$work/state/pip" ] || { echo "FAILED: pip was called for what is there"; failures=$((failures + 1)); }
rm -rf "$work/cache/nccl-2"
touch "$work/state/offline"
expect "the parts of CUDA without a network" 1 "pip could not install nvidia-c==2.0" --cuda
[ ! -e "$work/cache/nccl-2" ] && [ ! -e "$work/cache/nccl-2.partial" ] ||
  { echo "FAILED: half an installation stayed"; failures=$((failures + 1)); }

system "$everything" "python3-pip=23.0" 0
parts_of_cuda
stand_in python3 'exit 1'
expect "pip itself" 1 "installing: python3-pip" --cuda

system "$everything" "" 0
rm "$work/bin/apt-get"
expect "another kind of system" 1 "knows Debian and Ubuntu only"

[ $failures -eq 0 ]
