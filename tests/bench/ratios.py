"""Statistics of paired ratios, for the benchmarks beside this file."""
import math


def interval(values):
    """Order statistics that hold the median with at least 95 %: lowest and highest index by the binomial distribution of signs."""
    values, n = sorted(values), len(values)
    below, k = 0.0, 0
    while k < n // 2 and below + math.comb(n, k) / 2**n <= 0.025:
        below += math.comb(n, k) / 2**n
        k += 1
    return (values[k - 1], values[n - k]) if k > 0 else (-math.inf, math.inf)
