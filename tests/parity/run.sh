#!/bin/sh
# Live parity of a checkpoint folder with transformers: templates, ids, states of every layer, logits, greedy tokens.
#   tests/parity/run.sh MODEL_DIR [--dtype float32|bfloat16] [--prompts FILE] [--count N] [--python PROGRAM] [--build DIR]
# --prompts: a JSON file like tests/parity/prompts.json, which is the default; --count: only every so many, N in all.
# --python, or STEER_PARITY_PYTHON: a Python with transformers 5.17, torch 2.11 and safetensors. --build: default build/release, built if
# steer-parity is not there. The last line is `N passed, N failed`; the exit status is 1 if anything failed, 2 if it could not run.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${STEER_PARITY_PYTHON:-python3}
build=""
model=""
take() { [ $# -ge 2 ] || { echo "tests/parity/run.sh: $1 needs a value" >&2; exit 2; }; }
while [ $# -gt 0 ]; do
  case $1 in
    --python) take "$@"; python=$2; shift 2 ;;
    --build) take "$@"; build=$2; shift 2 ;;
    --dtype) take "$@"; dtype=$2; shift 2 ;;
    --prompts) take "$@"; prompts=$2; shift 2 ;;
    --count) take "$@"; count=$2; shift 2 ;;
    -*) echo "tests/parity/run.sh: unknown option $1 (see its first lines)" >&2; exit 2 ;;
    *) [ -z "$model" ] || { echo "tests/parity/run.sh: one MODEL_DIR, not also $1" >&2; exit 2; }; model=$1; shift ;;
  esac
done
[ -n "$model" ] || { echo "usage: tests/parity/run.sh MODEL_DIR [options]" >&2; exit 2; }
[ -f "$model/config.json" ] || { echo "tests/parity/run.sh: $model has no config.json" >&2; exit 2; }
if ! "$python" -c "import safetensors, torch, transformers" 2>/dev/null; then
  echo "tests/parity/run.sh: $python lacks transformers, torch or safetensors. In a virtual environment:" >&2
  echo "  pip install transformers==5.17.0 torch==2.11.0 safetensors     and then --python VENV/bin/python" >&2
  exit 2
fi
if [ -z "$build" ]; then
  build=$root/build/release
  [ -x "$build/tests/parity/steer-parity" ] || build=$("$root/deploy/build.sh" release steer-parity)
fi
# Passive waiting: both sides take turns on the same cores.
export OMP_WAIT_POLICY=passive
exec "$python" "$root/tests/parity/parity.py" --program "$build/tests/parity/steer-parity" --model "$model" \
  --dtype "${dtype:-float32}" --prompts "${prompts:-$root/tests/parity/prompts.json}" --count "${count:-0}"
