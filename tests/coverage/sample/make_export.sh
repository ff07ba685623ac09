#!/bin/sh
# Makes export.json beside it: two programs that share a source, with clang 14's own tools.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in first second; do
  clang++-14 -std=c++20 -I. -fprofile-instr-generate -fcoverage-mapping -fcoverage-compilation-dir=/sample "$name.cc" common/sample.cc -o "$work/$name"
  LLVM_PROFILE_FILE="$work/$name.profraw" "$work/$name"
done
llvm-profdata-14 merge -sparse "$work"/*.profraw -o "$work/merged.profdata"
llvm-cov-14 export -instr-profile="$work/merged.profdata" "$work/first" -object "$work/second" >export.json
