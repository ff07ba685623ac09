#!/bin/sh
# Everything that needs neither torch nor gRPC, under ThreadSanitizer, with abseil built under it too. One suppression, over abseil alone.
#   tests/threads/run_tsan.sh
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# Without address-space randomisation: the sanitizer of gcc 12 knows fewer of its bits than newer kernels use.
if [ "${STEER_TSAN_PERSONALITY:-}" != fixed ]; then
  STEER_TSAN_PERSONALITY=fixed exec setarch "$(uname -m)" --addr-no-randomize "$0" "$@"
fi
CMAKE_PREFIX_PATH=$("$root/tests/threads/build_abseil.sh")
export CMAKE_PREFIX_PATH
build=$("$root/deploy/build.sh" tsan tsan_tests)
export TSAN_OPTIONS="suppressions=$root/tests/threads/tsan.supp exitcode=66 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error --label-exclude 'long-|not-tsan'
