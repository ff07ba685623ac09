#!/bin/sh
# Runs tests of a build that counts (preset "coverage"), then prints coverage by file and folder and holds it to floors.txt: see report.py.
#   tests/coverage/run_coverage.sh BUILD [--partial] [CTEST ARGUMENT ...]     BUILD: what `deploy/build.sh coverage` printed
# --partial: BUILD holds some of the folders or programs. CTEST ARGUMENTS choose tests; without them the default tier runs.
# A process writes its counts when it ends by itself: what a program did before kill -9, abort or _exit is not in the figures, so they are too
# low for code that only runs there. Results lie under BUILD/coverage: uncovered.txt names every outcome and line that no test reached.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: run_coverage.sh BUILD [--partial] [CTEST ARGUMENT ...]}" && pwd)
shift
partial=""
[ "${1:-}" != --partial ] || { partial=--partial; shift; }
[ $# -gt 0 ] || set -- --label-exclude 'long-|not-coverage' ${partial:+--exclude-regex _NOT_BUILT}
work=$build/coverage
rm -rf "$work/raw"
mkdir -p "$work/raw"
# Processes of one program add to the same few files, under a lock: one file each would be gigabytes.
export LLVM_PROFILE_FILE="$work/raw/%4m.profraw"
outcome=0
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error "$@" >"$work/ctest.log" 2>&1 || outcome=$?
# Only profiles that a kill caught halfway through writing are left out, and named.
llvm-profdata-14 merge --failure-mode=all -sparse "$work"/raw/*.profraw -o "$work/merged.profdata"
# Every program that counts has this section. One of them comes first, the others behind -object.
programs=""
for program in $(find "$build" -type f -perm -u+x ! -name '*.so' ! -path '*/CMakeFiles/*' | LC_ALL=C sort); do
  if llvm-objdump-14 --section-headers "$program" 2>/dev/null | grep -q __llvm_covmap; then
    programs="$programs ${programs:+-object }$program"
  fi
done
# shellcheck disable=SC2086  # a list of paths that the build folder's name keeps without blanks
llvm-cov-14 export -instr-profile="$work/merged.profdata" $programs >"$work/export.json" 2>"$work/export.log"
cat "$work/export.log" >&2
python3 -B "$root/tests/coverage/report.py" "$work/export.json" $partial --details "$work/uncovered.txt" || outcome=1
echo "uncovered: $work/uncovered.txt"
tail -30 "$work/ctest.log"
exit "$outcome"
