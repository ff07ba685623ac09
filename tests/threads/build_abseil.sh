#!/bin/sh
# Builds abseil from Debian's source under ThreadSanitizer: its mutexes order memory in ways that the sanitizer sees only where they are compiled
# with it. Prints the folder to put into CMAKE_PREFIX_PATH. The machine's own package lists stay as they are.
#   tests/threads/build_abseil.sh
set -eu
cache=${STEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/steer}
version=$(dpkg-query -W -f '${source:Version}' libabsl-dev)
root=$cache/abseil-tsan-$version
if [ ! -f "$root/.complete" ]; then
  command -v dpkg-source >/dev/null || {
    [ "$(id -u)" = 0 ] || { echo "build_abseil.sh: dpkg-source is missing, and installing dpkg-dev needs root" >&2; exit 1; }
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends dpkg-dev >&2
  }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/abseil.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/sources"
  # Both spellings of apt's sources, with deb turned into deb-src.
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && { sed 's/^Types:.*/Types: deb-src/' "$file"; echo; }
  done > "$work/sources/steer.sources"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && sed -n 's/^deb /deb-src /p' "$file"
  done > "$work/sources/steer.list"
  apt_here() {
    apt-get -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::lists=$work/lists" \
      -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o APT::Sandbox::User=root -qq "$@" >&2
  }
  apt_here update
  (cd "$work" && apt_here source --download-only "abseil=$version" && dpkg-source --no-check -x ./*.dsc source >&2)
  cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_STANDARD=17 -DBUILD_TESTING=OFF \
    -DABSL_PROPAGATE_CXX_STD=ON -DCMAKE_CXX_FLAGS="-fsanitize=thread -fno-omit-frame-pointer -g1" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_INSTALL_PREFIX="$root" >&2
  rm -rf "$root"
  cmake --build "$work/build" --target install >&2
  touch "$root/.complete"
fi
echo "$root"
