#!/bin/sh
# Copies the shared objects that our programs load from libtorch's wheels into PREFIX/lib, and nothing else of the wheels: the closure of what
# is linked, and of what is opened by name (below), minus what Debian's own packages bring.
#   deploy/collect_libraries.sh TORCH_ROOT PREFIX [PLUGIN]     PLUGIN: libsteer_cuda.so; with it libtorch's CUDA side is taken too
set -eu
[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 64; }
torch=$1 prefix=$2 plugin=${3:-}
index=$(mktemp)
trap 'rm -f "$index"' EXIT
# Where each name lies in the wheels: torch's own folder first.
find "$torch/torch/lib" "$torch/nvidia" "$torch"/*.libs -name '*.so*' -type f 2>/dev/null | awk -F/ '!seen[$NF]++ {print $NF, $0}' > "$index"
path_of() { awk -v name="$1" '$1 == name {print $2; exit}' "$index"; }
needed() { readelf -d "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'; }

todo="$(for program in "$prefix"/bin/*; do needed "$program"; done)"
if [ -n "$plugin" ]; then
  # Opened by name. By steerd: libtorch_cuda.so and the plugin. By libtorch_cuda: its linear algebra and run-time compilation, with what nvrtc
  # itself opens. By libcudnn: its parts, one for each kind of work.
  todo="$todo libtorch_cuda.so libtorch_cuda_linalg.so libcaffe2_nvrtc.so $(needed "$plugin")
    $(awk '$1 ~ /^libcudnn_.*\.so\.[0-9]+$/ || $1 ~ /^libnvrtc-builtins\.so/ && $1 !~ /alt/ {print $1}' "$index")"
fi
mkdir -p "$prefix/lib"
while [ -n "$(echo $todo)" ]; do
  next=""
  for name in $todo; do
    file=$(path_of "$name")
    [ -n "$file" ] && [ ! -e "$prefix/lib/$name" ] || continue
    cp -L "$file" "$prefix/lib/$name"
    next="$next $(needed "$file")"
  done
  todo=$next
done
[ -z "$plugin" ] || cp "$plugin" "$prefix/lib/libsteer_cuda.so"
ls -l "$prefix/lib" | awk '{sum += $5; if (NF > 5) print $5, $NF} END {print sum, "bytes together"}' >&2
