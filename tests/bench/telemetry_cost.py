#!/usr/bin/env python3
"""What metrics, audit log and receipts cost, as a ratio: runs of the two programs alternate (bare, full, full, bare, ...), each round gives one
ratio of tokens a second, and their median has a distribution-free 95 % interval.

    telemetry_cost.py FOLDER_OF_THE_PROGRAMS [--rounds N] [--calls N] [--prompts N] [--model FOLDER] [--limit PERCENT]

Prints one line. With --limit, exit status 1 if the interval's lower end is above it.
"""
import argparse
import statistics
import subprocess
import sys

from ratios import interval


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", default="4")
    parser.add_argument("--prompts", default="48")
    parser.add_argument("--model")
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()

    def rate(kind):
        command = ["%s/telemetry_%s" % (options.folder, kind), "--calls", options.calls, "--prompts", options.prompts]
        command += ["--model", options.model] if options.model else []
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    costs, rates = [], {"bare": [], "full": []}
    for number in range(options.rounds):
        pair = {kind: rate(kind) for kind in (("bare", "full") if number % 2 == 0 else ("full", "bare"))}
        for kind, value in pair.items():
            rates[kind].append(value)
        costs.append(100 * (pair["bare"] / pair["full"] - 1))
    low, high = interval(costs)
    print("telemetry costs %.2f %% (95 %% interval %.2f to %.2f %%, %d rounds; %.0f tokens/s bare, %.0f full)"
          % (statistics.median(costs), low, high, len(costs), statistics.median(rates["bare"]), statistics.median(rates["full"])))
    return 1 if options.limit is not None and low > options.limit else 0


if __name__ == "__main__":
    sys.exit(main())
