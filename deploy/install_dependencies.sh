#!/bin/sh
# Installs what building steer needs and is missing: Debian packages (needs root) and the pinned libtorch wheel. Prints the libtorch folder on
# standard output; everything else goes to standard error. A second run takes well under a second.
#   deploy/install_dependencies.sh [--cuda]      --cuda: with the wheel's CUDA libraries (3.8 GB), for --device cuda
# STEER_CACHE: where libtorch is put (default ~/.cache/steer).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${STEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/steer}
cuda=no
for argument in "$@"; do
  case $argument in
    --cuda) cuda=yes ;;
    *) echo "install_dependencies.sh: unknown argument $argument (known: --cuda)" >&2; exit 2 ;;
  esac
done

missing=""
# shellcheck disable=SC2013  # one word a line
for package in $(grep -v "^#" "$here/packages.txt"); do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "install_dependencies.sh: these Debian packages are missing, and installing them needs root:$missing" >&2
    exit 1
  fi
  echo "installing Debian packages:$missing" >&2
  apt-get update -qq >&2
  # Services that packages bring (Prometheus, Pushgateway) must not start by themselves: tests and compose start their own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
fi

pins=$here/libtorch-cpu.txt
root=$cache/libtorch-2.11.0
[ "$cuda" = no ] || root=$root-cuda
digest=$(sha256sum "$pins" | cut -c1-64)
if [ "$(cat "$root/.complete" 2>/dev/null)" != "$digest" ]; then
  echo "installing libtorch into $root (a download of about $([ "$cuda" = yes ] && echo 2.5 || echo 0.55) GB)" >&2
  mkdir -p "$cache"
  staging=$(mktemp -d "$cache/libtorch.XXXXXX")
  set -- --no-compile --only-binary=:all: --implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64 \
    --platform manylinux_2_27_x86_64 --platform manylinux_2_26_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_24_x86_64 \
    --platform manylinux_2_18_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --target "$staging"
  if [ "$cuda" = yes ]; then
    python3 -m pip install -q --disable-pip-version-check "$@" torch==2.11.0 >&2
  else
    python3 -m pip install -q --disable-pip-version-check --no-deps --require-hashes "$@" -r "$pins" >&2
  fi
  rm -rf "$root"
  mv "$staging" "$root"
  printf '%s' "$digest" > "$root/.complete"
fi
echo "$root"
