#!/bin/sh
# Edits on a checkpoint folder, live against transformers' hooks: every case of tests/golden/steering, and what must hold to the bit.
#   tests/parity/edits/edits.sh MODEL_DIR [BUILD] [DTYPE ...]      BUILD default build/release; types default float32 bfloat16
# Needs the target edits_parity in BUILD and a Python with transformers 5.17, torch 2.11 and safetensors: STEER_PYTHON, by default the one
# that ../shared/tools/make_real_models.sh makes. bfloat16 is held to what bits promise; its distances are printed for information.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
model=${1:?usage: edits.sh MODEL_DIR [BUILD] [DTYPE ...]}
build=${2:-$root/build/release}
[ $# -lt 2 ] || shift
shift
types=${*:-float32 bfloat16}
python=${STEER_PYTHON:-${STEER_REAL_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/steer/real}/venv/bin/python}
export OMP_WAIT_POLICY=passive
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0
for type in $types; do
  weights=""
  [ "$type" = float32 ] || weights=--no-weights
  # shellcheck disable=SC2086
  "$python" "$root/tests/parity/edits/make_reference.py" "$model" "$work" --dtype "$type" $weights
  "$build/tests/parity/edits/edits_parity" "$model" "$type" "$work"/*.safetensors || failed=1
  rm -f "$work"/*.safetensors
done
exit "$failed"
