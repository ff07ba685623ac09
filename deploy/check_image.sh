#!/bin/sh
# Proves of an image what deploy/README.md says of it. Needs docker or podman.
#   deploy/check_image.sh [IMAGE]        IMAGE: steer
# ENGINE: the engine's command (docker, else podman). RUN_FLAGS: more flags for each container.
set -eu
image=${1:-steer}
engine=${ENGINE:-$(command -v docker >/dev/null && docker info >/dev/null 2>&1 && echo docker || echo podman)}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/data/model" "$folder/data/directions" "$folder/data/runs"
chmod -R 0777 "$folder"
failed=0
say() { echo "$1: $2"; [ "$1" = ok ] || failed=1; }
# As compose and Kubernetes start it, but with no network at all: a uid that the image does not know, nothing writable but the data and /tmp, no capability, and no shell at all.
run() {
  # shellcheck disable=SC2086
  timeout 300 $engine run --rm --network none --no-healthcheck --read-only --cap-drop all --security-opt no-new-privileges --user 12345:12345 --tmpfs /tmp:mode=1777 ${RUN_FLAGS:-} \
    -v /dev/null:/usr/bin/dash:ro -v /dev/null:/usr/bin/bash:ro -v "$folder/data:/data" "$@"
}

size=$($engine image inspect -f '{{.Size}}' "$image")
bound=1000000000
case $image in *cuda*) bound=5000000000 ;; esac
[ "$size" -le $bound ] && say ok "$size bytes of at most $bound" || say FAIL "$size bytes, more than $bound"
user=$($engine image inspect -f '{{.Config.User}}' "$image")
case $user in "" | 0 | root) say FAIL "user '$user'" ;; *) say ok "user $user" ;; esac
! run "$image" sh -c true 2>/dev/null && say ok "the check takes the shells away" || say FAIL "a shell is still there"

# What the loader finds (ldd is a shell script, so the loader itself is asked), against what lies in lib/: nothing missing, nothing idle.
for program in steerd steerd-serve steerctl steer-planted; do
  run "$image" /lib64/ld-linux-x86-64.so.2 --list /opt/steer/bin/$program
done > "$folder/loaded"
! grep 'not found' "$folder/loaded" && say ok "every linked library is found" || say FAIL "libraries are missing"
sed -n 's,.*=> /opt/steer/bin/\.\./lib/\([^ ]*\) .*,\1,p; s,.*=> /opt/steer/lib/\([^ ]*\) .*,\1,p' "$folder/loaded" | sort -u > "$folder/used"
run "$image" ls /opt/steer/lib | sort > "$folder/there"
idle=$(comm -13 "$folder/used" "$folder/there" | tr '\n' ' ')
case $image in
  *cuda*) say ok "opened by name, or needed by what is: $idle" ;;
  *) [ -z "$idle" ] && say ok "$(wc -l < "$folder/there") libraries of libtorch's, each of them loaded" || say FAIL "idle: $idle" ;;
esac

# The whole of the example, one command a container, nothing but loopback inside: the model, the server with lock and run in its own network space.
run "$image" steer-planted --variant default --seed 0 --out /data/model/planted-default && say ok "steer-planted" || say FAIL "steer-planted"
name=steer-check-$$
run --name $name "$image" steerd --model /data/model/planted-default --dtype float32 --store /data/directions >"$folder/steerd.log" 2>&1 &
server=$!
inside() { timeout 600 $engine exec $name "$@"; }
n=0
healthy=yes
until inside steerd --healthcheck --listen 127.0.0.1:50051 2>/dev/null; do
  n=$((n + 1))
  [ $n -lt 60 ] && kill -0 $server 2>/dev/null || { healthy=no; break; }
  sleep 1
done
[ $healthy = yes ] && say ok "healthy after $n checks, without a network" || { say FAIL "steerd is not healthy"; cat "$folder/steerd.log"; exit 1; }
inside steerctl plan freeze /opt/steer/plans/planted-default.yaml --data-root /data/model/planted-default --output /data/runs/planted.lock &&
  inside steerctl run /data/runs/planted.lock --data-root /data/model/planted-default --output /data/runs/planted-default >"$folder/run.log" 2>&1 &&
  say ok "$(grep -o 'SINGLE-DIRECTION-REPRODUCES' "$folder/run.log" | head -1)" || { say FAIL "the run"; tail -5 "$folder/run.log"; }
[ -n "$(find "$folder/data/runs" -name '*.svg' -o -name '*.pdf' -o -name '*.png')" ] && say ok "figures without a shell" || say FAIL "no figure"
$engine stop -t 75 $name >/dev/null
code=0
wait $server || code=$?
[ $code = 0 ] && say ok "SIGTERM ends it with 0" || say FAIL "exit code $code after SIGTERM"

# The list of parts: Debian's packages from the image itself, wheels from the build.
run "$image" cat /var/lib/dpkg/status > "$folder/status"
run "$image" cat /opt/steer/wheels.cdx.json > "$folder/wheels"
"$(dirname "$0")/sbom.py" --status "$folder/status" --wheels "$folder/wheels" > "$folder/sbom.json"
say ok "$(grep -c '"purl"' "$folder/sbom.json") parts in the bill of materials"
exit $failed
