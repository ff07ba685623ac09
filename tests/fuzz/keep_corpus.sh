#!/bin/sh
# Rewrites the kept corpora from seeds and from what runs have found: the smallest set that covers what all of them cover, cut to 48 files and
# 96 KB a target, the files that cover most first.
#   tests/fuzz/keep_corpus.sh BUILD SEEDS [TARGET ...]      BUILD: build/fuzz; SEEDS: what make_corpus.py wrote
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: keep_corpus.sh BUILD SEEDS [TARGET ...]}" && pwd)
seeds=$(cd "${2:?usage: keep_corpus.sh BUILD SEEDS [TARGET ...]}" && pwd)
shift 2
# shellcheck disable=SC2046  # names without blanks
[ $# -gt 0 ] || set -- $(cd "$seeds" && ls)
for name in "$@"; do
  kept=$root/tests/fuzz/corpus/$name
  merged=$(mktemp -d)
  mkdir -p "$build/fuzz/$name/found" "$kept"
  "$build/tests/fuzz/fuzz_$name" -set_cover_merge=1 -use_counters=0 -max_len=8192 "$merged" "$kept" "$seeds/$name" "$build/fuzz/$name/found" \
    >"$merged.log" 2>&1
  rm -rf "$kept"
  mkdir -p "$kept"
  files=0
  bytes=0
  # Larger files cover more; names are digests of their contents.
  for file in $(find "$merged" -type f -printf '%s %p\n' | sort -k1,1nr -k2 | cut -d' ' -f2); do
    size=$(wc -c <"$file")
    if [ "$files" -ge 48 ] || [ $((bytes + size)) -gt 98304 ]; then continue; fi
    cp "$file" "$kept/$(sha256sum "$file" | cut -c1-16)"
    files=$((files + 1))
    bytes=$((bytes + size))
  done
  echo "$name: $files files, $bytes bytes, of $(find "$merged" -type f | wc -l) that cover everything"
  rm -rf "$merged" "$merged.log"
done
