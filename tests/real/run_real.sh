#!/bin/sh
# The post's experiment on real weights and real prompts, compared with transformers' hooks on the same splits and the exported control.
#   tests/real/run_real.sh BUILD [SEED ...]      seeds of the comparison, default 0; both models always run all seeds of their plans
# Needs ../shared. STEER_REAL_MODELS: where the checkpoints are or go (default ~/.cache/steer/real; about 6 GB). Prints summaries and
# comparisons: counts, rates, layers, verdicts, seconds. Files that hold prompts lie in a folder that is removed at the end.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:?usage: run_real.sh BUILD [SEED ...]}
shift
seeds=${*:-0}
shared=$root/../shared
if [ ! -d "$shared/tools" ]; then
  echo "SKIPPED: the tier needs ../shared, which is not there"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
models=${STEER_REAL_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/steer/real}
[ -f "$models/refuser/model.safetensors" ] || sh "$shared/tools/make_real_models.sh" "$models" >&2
results=$root/runs/real
private=$(mktemp -d)
mkdir -p "$results"
server=""
# shellcheck disable=SC2317  # called by the trap
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$private"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
steerctl=$build/client/steerctl
passed=0
failed=0

for model in refuser smollm2; do
  rm -f "$private/ports.json"
  "$build/server/steerd" --model "$models/$model" --dtype float32 --listen 127.0.0.1:0 --metrics-listen "" --store "$results/directions-$model" \
    --port-file "$private/ports.json" 2>"$results/steerd-$model.log" &
  server=$!
  while [ ! -s "$private/ports.json" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$results/steerd-$model.log" >&2; exit 1; }
    sleep 0.2
  done
  address=127.0.0.1:$(sed -n 's/.*"grpc_port":[ ]*\([0-9]*\).*/\1/p' "$private/ports.json")
  lock=$results/$model.lock
  [ -f "$lock" ] || "$steerctl" --server "$address" plan freeze "$root/deploy/plans/$model.yaml" --data-root "$shared/data" --output "$lock" >&2
  "$steerctl" --server "$address" run "$lock" --data-root "$shared/data" --output "$results/$model"
  for seed in $seeds; do
    "$steerctl" plan splits "$lock" --seed "$seed" --data-root "$shared/data" --output "$private/splits.json" >/dev/null
    set_and_layer=$(python3 "$root/tests/real/compare.py" where "$results/$model" "$seed")
    # shellcheck disable=SC2086
    set -- $set_and_layer
    "$steerctl" --server "$address" directions export "$1" --layer "$2" --control "$3/0" --format json --output "$private/control.json"
    reference=$results/$model-seed$seed-transformers.json
    [ -f "$reference" ] || "$models/venv/bin/python" "$shared/tools/hf_reference.py" "$models/$model" --splits "$private/splits.json" \
      --control "$private/control.json" --dtype float32 --max-new 32 >"$reference"
    if python3 "$root/tests/real/compare.py" compare "$results/$model" "$seed" "$reference"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=""
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
