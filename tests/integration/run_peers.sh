#!/bin/sh
# Peers that are not ours: a raw Python gRPC client of every method, buf over the contract, promtool over the live metrics, shellcheck and
# yamllint over our files. Prints the findings and "N passed, N failed".
#   tests/integration/run_peers.sh BUILD
# STEER_CACHE: where the Python packages are put (default ~/.cache/steer).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: run_peers.sh BUILD}" && pwd)
packages=$root/tests/integration/peers.txt
venv=${STEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/steer}/peers-venv
digest=$(sha256sum "$packages" | cut -c1-64)
if [ "$(cat "$venv/.complete" 2>/dev/null)" != "$digest" ]; then
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r "$packages" >&2
  printf '%s' "$digest" > "$venv/.complete"
fi
passed=0
failed=0
check() {
  name=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED $name"; fi
}

cd "$root"
check "buf lint" "$venv/bin/buf" lint proto
# shellcheck disable=SC2046  # our names have no spaces
check shellcheck shellcheck $(find . -path ./build -prune -o -path ./runs -prune -o -name '*.sh' -print)
# shellcheck disable=SC2046
check yamllint "$venv/bin/yamllint" -s -c tests/integration/yamllint.yaml \
  $(find . -path ./build -prune -o -path ./runs -prune -o \( -name '*.yaml' -o -name '*.yml' \) -print)
counts=$("$venv/bin/python" "$root/tests/integration/raw_client.py" "$build") || true
echo "$counts"
# shellcheck disable=SC2046  # two numbers, or none where it did not get to its end
set -- $(echo "$counts" | tail -1 | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p')
echo "$((passed + ${1:-0})) passed, $((failed + ${2:-1})) failed"
[ $((failed + ${2:-1})) -eq 0 ]
