#!/bin/sh
# Installs what is missing, builds, and runs the tests. The last line is ctest's summary.
#   tests/run.sh                 the default tier: everything but the longer tiers, at most 25 minutes on 2 cores from nothing
#   tests/run.sh --long NAME     a longer tier: see tests/README.md for names
#   tests/run.sh --list          the longer tiers
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tiers="real asan tsan faults overload soak fuzz coverage planted50 peers"
case ${1:-} in
  "") tier="" ;;
  --list) echo "$tiers"; exit 0 ;;
  --long)
    tier=${2:-}
    case " $tiers " in
      *" ${tier:-?} "*) ;;
      *) echo "tests/run.sh: no tier \"$tier\" (known: $tiers)" >&2; exit 2 ;;
    esac ;;
  *) echo "tests/run.sh: unknown argument $1 (known: --long NAME, --list)" >&2; exit 2 ;;
esac

# Parallel, since most tests wait for something; timeouts leave room for it. A test that skipped itself without need fails the run, with a line
# on standard error; else the judge of skips says nothing, and the last line is ctest's.
run_ctest() {
  build=$1
  shift
  ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error --output-junit "$build/results.xml" "$@"
  python3 -B "$root/tests/counts/skipped_tests.py" "$build/results.xml"
}
# What the tiers fuzz and coverage need and nothing else does, so that deploy/packages.txt stays without it: install_clang PACKAGE ...
install_clang() {
  dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>&1 | grep -qvx installed || return 0
  [ "$(id -u)" = 0 ] || { echo "tests/run.sh: the tier \"$tier\" needs $*; installing them needs root" >&2; exit 1; }
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}
# Schemas of compose and Kubernetes. Without the package registry their one test is skipped, and says so.
install_manifest_packages() {
  pins=$root/tests/deploy/manifest_packages.txt
  folder=${STEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/steer}/manifests-$(sha256sum "$pins" | cut -c1-12)
  if [ ! -d "$folder" ]; then
    mkdir -p "$(dirname "$folder")"
    staging=$(mktemp -d "$folder.XXXXXX")
    if ! python3 -m pip install -q --disable-pip-version-check --no-compile --no-deps --target "$staging" -r "$pins" >&2; then
      rm -rf "$staging"
      return 0
    fi
    mv "$staging" "$folder"
  fi
  export STEER_MANIFEST_PACKAGES="$folder"
}
case $tier in
  fuzz) install_clang clang-14 libclang-rt-14-dev; build=$("$root/deploy/build.sh" fuzz fuzz_targets); exec "$root/tests/fuzz/run.sh" "$build" ;;
  "") build=$("$root/deploy/build.sh" release); install_manifest_packages; run_ctest "$build" --label-exclude 'long-' ;;
  # An arena larger than the machine is refused by the allocator; the test of that wants its answer, not the sanitizer's end.
  asan) build=$("$root/deploy/build.sh" asan); export ASAN_OPTIONS=allocator_may_return_null=1; run_ctest "$build" --label-exclude 'long-|not-asan' ;;
  coverage) install_clang clang-14 libclang-rt-14-dev llvm-14; build=$("$root/deploy/build.sh" coverage); install_manifest_packages
    exec "$root/tests/coverage/run_coverage.sh" "$build" ;;
  tsan) exec "$root/tests/threads/run_tsan.sh" ;;
  real) build=$("$root/deploy/build.sh" release); exec "$root/tests/real/run_real.sh" "$build" ;;
  peers) build=$("$root/deploy/build.sh" release); exec "$root/tests/integration/run_peers.sh" "$build" ;;
  *) build=$("$root/deploy/build.sh" release); run_ctest "$build" --label-regex "^long-$tier$" ;;
esac
