#!/bin/sh
# Installs what is missing and builds everything into build/release. Prints the build folder on standard output.
#   deploy/build.sh [PRESET] [TARGET ...]      PRESET: release (default), asan, tsan, fuzz or coverage
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
preset=${1:-release}
[ $# -eq 0 ] || shift
STEER_TORCH_ROOT=${STEER_TORCH_ROOT:-$("$root/deploy/install_dependencies.sh")}
export STEER_TORCH_ROOT
# Clones in different folders share what the compiler cache holds.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1
build=$root/build/$preset
cd "$root"
if [ ! -f "$build/build.ninja" ]; then
  cmake --preset "$preset" >"$root/.configure.log" 2>&1 || { cat "$root/.configure.log" >&2; exit 1; }
  mv "$root/.configure.log" "$build/configure.log"
fi
cmake --build "$build" ${1:+--target "$@"} >&2
echo "$build"
