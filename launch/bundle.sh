#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A folder that runs on hosts without the packages: the binary, the GPU tests, and every library that such a host lacks.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bash launch/bundle.sh [--preset NAME] [--out FOLDER] [--tar] [--help]

Copies build/PRESET/trireme, the tests labelled gpu, configs/ and the libraries that they need into FOLDER. MPI, CUDA,
cuDNN, NCCL and the C and C++ libraries are the host's. Run anything in it as FOLDER/run NAME ARGUMENTS, the GPU tests
as `bash FOLDER/tests/gpu.sh`.

  --preset NAME   the build to take (default cuda); it must be built
  --out FOLDER    default build/bundle; a bundle that is there is replaced
  --tar           pack FOLDER.tar.xz too (a third of the size or less)
  --help          this text

exit codes: 0 done; 1 something is not built, or would not be found on another host; 2 wrong usage
TEXT
}

preset=cuda
out=build/bundle
pack=no
while [ $# -gt 0 ]; do
  case "$1" in
    --preset|--out)
      [ $# -ge 2 ] || { echo "bundle: $1 needs a value" >&2; exit 2; }
      if [ "$1" = --preset ]; then preset=$2; else out=$2; fi
      shift 2 ;;
    --tar) pack=yes; shift ;;
    --help|-h) usage; exit 0 ;;
    *) echo "bundle: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/$preset
[ -x "$build/trireme" ] || { echo "bundle: $build/trireme is not built: cmake --build --preset $preset" >&2; exit 1; }
[ ! -e "$out" ] || [ -x "$out/run" ] ||
  { echo "bundle: $out is there and is no bundle: choose another --out, or remove it" >&2; exit 2; }

rm -rf "$out"
mkdir -p "$out/bin" "$out/lib" "$out/tests/golden"
cp -r configs "$out/"
cp -r tests/golden/model "$out/tests/golden/"
cp tests/gpu.sh "$out/tests/"
strip -o "$out/bin/trireme" "$build/trireme"
# A line for each GPU test: its name, its ranks under mpirun (0: without), its environment, its program and arguments.
ctest --test-dir "$build" -L '^gpu$' --show-only=json-v1 | python3 -c '
import json, os, sys
for test in json.load(sys.stdin)["tests"]:
    if "command" not in test: sys.exit("bundle: the test " + test["name"] + " is not built: build the whole preset")
    environment = next((p["value"] for p in test["properties"] if p["name"] == "ENVIRONMENT"), [])
    # Never empty: a shell that reads the line takes two tabs for one.
    environment = " ".join(e for e in environment if e.startswith("TRIREME_")) or "TRIREME_BUNDLE=yes"
    command = test["command"]
    ranks = 0
    if command[1:2] == ["-n"]: ranks, command = command[2], command[3:]
    print(test["name"], ranks, environment, os.path.basename(command[0]), *command[1:], sep="\t")
' > "$out/tests/gpu_tests.tsv"
while IFS=$'\t' read -r name _ _ program _; do
  [ -e "$out/bin/$program" ] && continue
  [ -x "$build/$program" ] || { echo "bundle: $name needs $build/$program, which is not built" >&2; exit 1; }
  strip -o "$out/bin/$program" "$build/$program"
done < "$out/tests/gpu_tests.tsv"

# No folder of this machine: a program that is started without `run` looks into the bundle too.
for program in "$out"/bin/*; do
  readelf -d "$program" | grep -qE '\((RUNPATH|RPATH)\)' || continue
  echo "file(RPATH_SET FILE \"$(realpath "$program")\" NEW_RPATH \"\$ORIGIN/../lib\")" > "$out/rpath.cmake"
  cmake -P "$out/rpath.cmake" > "$out/rpath.log" 2>&1 || { cat "$out/rpath.log" >&2; exit 1; }
done
rm -f "$out"/rpath.*

libraries() { ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u; }
mpi=$(libraries "$build/trireme" | grep '/libmpi\.so' || true)
hosts=$( { [ -z "$mpi" ] || { echo "$mpi"; libraries "$mpi"; }; } | xargs -r -n1 basename)
of_the_host() {
  case "$1" in
    libcuda.*|libcudart.*|libcublas*|libcudnn*|libnvrtc*|libnccl*|libmpi*) return 0 ;;
    libc.so*|libm.so*|libstdc++*|libgcc_s*|libgomp*|libdl.*|libpthread.*|librt.*) return 0 ;;
  esac
  grep -qxF "$1" <<< "$hosts"
}
for library in $(libraries "$out"/bin/*); do
  of_the_host "$(basename "$library")" || cp -L "$library" "$out/lib/"
done
# Whatever else a program would load is the bundle's own.
for library in $(LD_LIBRARY_PATH=$(realpath "$out")/lib libraries "$out"/bin/*); do
  of_the_host "$(basename "$library")" || [ "$library" -ef "$out/lib/$(basename "$library")" ] ||
    { echo "bundle: $library would be needed on the host" >&2; exit 1; }
done

cat > "$out/run" <<'TEXT'
#!/usr/bin/env bash
# Runs a program of this bundle with its libraries: run NAME ARGUMENTS...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# cuDNN and NCCL that came with Python are often newer than the system's.
wheels=$(python3 -c '
import importlib
for name in ("nvidia.cudnn", "nvidia.nccl"):
    try: print(next(iter(importlib.import_module(name).__path__)) + "/lib", end=":")
    except ImportError: pass
' 2>/dev/null || true)
export LD_LIBRARY_PATH=$wheels$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
[ $# -gt 0 ] && [ -x "$here/bin/$1" ] || { echo "usage: run NAME ARGUMENTS...; NAME is one of $(ls -m "$here/bin")" >&2; exit 2; }
name=$1
shift
exec "$here/bin/$name" "$@"
TEXT
chmod +x "$out/run"
echo "bundle: $out, $(du -sh "$out" | cut -f1)"
if [ $pack = yes ]; then
  # The programs have most of their code in common, further apart than a usual window of xz.
  XZ_OPT='--threads=0 --lzma2=preset=2,dict=64MiB --block-size=1GiB' tar -C "$(dirname "$out")" -cJf "$out.tar.xz" "$(basename "$out")"
  echo "bundle: $out.tar.xz, $(du -h "$out.tar.xz" | cut -f1)"
fi
