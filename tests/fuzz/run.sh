#!/bin/sh
# Every fuzz target under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer; one line a target, then how many passed.
#   tests/fuzz/run.sh BUILD [TARGET ...]      BUILD: what `deploy/build.sh fuzz fuzz_targets` printed; TARGET: "json", default all
# STEER_FUZZ_RUNS: executions a target (default 2000000). STEER_FUZZ_JOBS: targets at once (default: the number of processors).
# Inputs that are new to a run stay under BUILD/fuzz/TARGET/found; a crash stays under BUILD/fuzz/TARGET/crashes and is replayed by
#   BUILD/tests/fuzz/fuzz_TARGET FILE
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: run.sh BUILD [TARGET ...]}" && pwd)
shift
runs=${STEER_FUZZ_RUNS:-2000000}
jobs=${STEER_FUZZ_JOBS:-$(nproc)}
programs=$build/tests/fuzz
if [ $# -eq 0 ]; then
  # shellcheck disable=SC2046  # names without blanks
  set -- $(cd "$root/tests/fuzz/corpus" && ls)
fi

# One target: fuzz_one NAME. Writes its line to NAME/line and "passed" or "failed" to NAME/outcome.
cat >"$build/fuzz_one.sh" <<'SCRIPT'
set -eu
root=$1 build=$2 runs=$3 name=$4
work=$build/fuzz/$name
mkdir -p "$work/found" "$work/crashes"
dictionary=$root/tests/fuzz/dictionaries/$name.dict
[ -f "$dictionary" ] && set -- "-dict=$dictionary" || set --
begin=$(date +%s)
outcome=passed
# Memory: the address sanitizer and PCRE2's machine code take some; no input of these sizes needs more. The seed is fixed, so a run on one
# machine can be had again; found inputs of earlier runs are read as well.
"$build/tests/fuzz/fuzz_$name" "$@" -runs="$runs" -seed=20261126 -max_len=8192 -timeout=25 -rss_limit_mb=3072 -print_final_stats=1 -entropic=0 \
  -artifact_prefix="$work/crashes/" "$work/found" "$root/tests/fuzz/corpus/$name" >"$work/log" 2>&1 || outcome=failed
seconds=$(($(date +%s) - begin))
value() { sed -n "s/^stat::$1: *//p" "$work/log" | tail -1; }
executions=$(value number_of_executed_units)
coverage=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$work/log" | tail -1)
corpus=$(sed -n 's/.*corp: \([0-9]*\).*/\1/p' "$work/log" | tail -1)
findings=$(find "$work/crashes" -type f | wc -l)
[ "$findings" -eq 0 ] || outcome=failed
line="$name: $outcome, ${executions:-?} executions, $seconds s, $((${executions:-0} / (seconds > 0 ? seconds : 1)))/s, corpus ${corpus:-?}, coverage ${coverage:-?}, findings $findings"
[ "$outcome" = passed ] || line="$line (log $work/log; replay: $build/tests/fuzz/fuzz_$name $work/crashes/FILE)"
echo "$line"
echo "$outcome" >"$work/outcome"
SCRIPT

for name in "$@"; do
  [ -x "$programs/fuzz_$name" ] || { echo "run.sh: no program $programs/fuzz_$name" >&2; exit 2; }
  rm -f "$build/fuzz/$name/outcome"
done
printf '%s\n' "$@" | xargs -P "$jobs" -I{} sh "$build/fuzz_one.sh" "$root" "$build" "$runs" {} || true
passed=0
failed=0
for name in "$@"; do
  if [ "$(cat "$build/fuzz/$name/outcome" 2>/dev/null)" = passed ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
