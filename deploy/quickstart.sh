#!/bin/sh
# From nothing to a verdict: installs what is missing, builds, makes the planted checkpoint, starts steerd on it, runs the post's experiment with
# steerctl, and stops the server. A second run takes seconds: what is built is not built again, and a finished run is only reported.
#   deploy/quickstart.sh [--variant default|weak|distributed|fragile] [--fresh]
#     --fresh   runs the experiment again from its first row
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
variant=default
fresh=no
while [ $# -gt 0 ]; do
  case $1 in
    --variant) [ $# -ge 2 ] || { echo "quickstart.sh: --variant needs a value" >&2; exit 2; }; variant=$2; shift 2 ;;
    --fresh) fresh=yes; shift ;;
    -h|--help) sed -n '2,6p' "$0" | cut -c3-; exit 0 ;;
    *) echo "quickstart.sh: unknown argument $1 (known: --variant NAME, --fresh)" >&2; exit 2 ;;
  esac
done
case $variant in
  default|weak|distributed|fragile) ;;
  *) echo "quickstart.sh: no planted variant \"$variant\" (known: default, weak, distributed, fragile)" >&2; exit 2 ;;
esac

build=$("$root/deploy/build.sh" release steerd steerctl steer-planted)
work=$root/runs/planted-$variant
mkdir -p "$work"
# A run by hand beside this one must not be met half-way.
exec 9>"$work/.quickstart.lock"
flock -n 9 || { echo "quickstart.sh: another quickstart of this variant is running" >&2; exit 1; }

if [ "$fresh" = yes ]; then rm -rf "$work/run" "$work/plan.lock"; fi
"$build/server/planted/steer-planted" --variant "$variant" --seed 0 --out "$work/planted-$variant" >&2

rm -f "$work/ports.json"
"$build/server/steerd" --model "$work/planted-$variant" --dtype float32 --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --store "$work/directions" \
  --port-file "$work/ports.json" 2>"$work/steerd.log" &
server=$!
# shellcheck disable=SC2317  # called by the trap
stop() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM
waited=0
while [ ! -s "$work/ports.json" ]; do
  kill -0 "$server" 2>/dev/null || { echo "quickstart.sh: steerd did not start:" >&2; cat "$work/steerd.log" >&2; exit 1; }
  [ "$waited" -lt 600 ] || { echo "quickstart.sh: steerd was not ready after 60 s; see $work/steerd.log" >&2; exit 1; }
  sleep 0.1
  waited=$((waited + 1))
done
address=127.0.0.1:$(sed -n 's/.*"grpc_port":[ ]*\([0-9]*\).*/\1/p' "$work/ports.json")

steerctl=$build/client/steerctl
if [ ! -f "$work/plan.lock" ]; then
  "$steerctl" --server "$address" plan freeze "$root/deploy/plans/planted-$variant.yaml" --data-root "$work/planted-$variant" --output "$work/plan.lock" >&2
fi
"$steerctl" --server "$address" run "$work/plan.lock" --data-root "$work/planted-$variant" --output "$work/run"
echo
echo "figure  $work/run/figure.png"
echo "report  $work/run/report.html"
