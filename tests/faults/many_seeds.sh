#!/bin/sh
# One suite of faults under many seeds; prints the command that replays what fails.
#   tests/faults/many_seeds.sh PROGRAM SUITE      STEER_FAULT_SEEDS: how many (default 10)
set -eu
program=$1 suite=$2
failed=0
for seed in $(seq 2 $((${STEER_FAULT_SEEDS:-10} + 1))); do
  STEER_FAULT_SEED=$seed "$program" --gtest_brief=1 "--gtest_filter=$suite.*" || failed=$((failed + 1))
done
echo "$suite: $failed of ${STEER_FAULT_SEEDS:-10} seeds failed"
[ "$failed" = 0 ]
