#!/bin/sh
# Installs what is missing, builds, and runs the tests. The last line is ctest's summary.
#   tests/run.sh                 the default tier: everything but the longer tiers, at most 25 minutes on 2 cores from nothing
#   tests/run.sh --long NAME     a longer tier: see tests/README.md for names
#   tests/run.sh --list          the longer tiers
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tiers="real asan faults planted50 peers"
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

# Parallel, since most tests wait for something; timeouts leave room for it.
run_ctest() {
  build=$1
  shift
  ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error "$@"
}
case $tier in
  "") build=$("$root/deploy/build.sh" release); run_ctest "$build" --label-exclude 'long-' ;;
  asan) build=$("$root/deploy/build.sh" asan); run_ctest "$build" --label-exclude 'long-|not-asan' ;;
  real) build=$("$root/deploy/build.sh" release); exec "$root/tests/real/run_real.sh" "$build" ;;
  peers) build=$("$root/deploy/build.sh" release); exec "$root/tests/integration/run_peers.sh" "$build" ;;
  *) build=$("$root/deploy/build.sh" release); run_ctest "$build" --label-regex "^long-$tier$" ;;
esac
