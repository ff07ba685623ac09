#!/usr/bin/env python3
"""Remakes stats.json and decisions.json: reference values of client/stats.

Needs scipy. Intervals and tests come from scipy.stats and scipy.special, the decision rule and the selection from
exact fractions over plain lists of the rule's sentences, so that they share nothing with the C++ code.
  make_stats.py [OUT_DIR]
"""
import itertools, json, random, sys
from fractions import Fraction as F
from pathlib import Path
from scipy import special, stats

out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)

intervals = []
for n in (1, 2, 3, 5, 8, 16, 32, 48, 64, 100, 200, 1000, 31323):
    for k in sorted({0, 1, 2, n // 4, n // 3, n // 2, n - n // 8, n - 1, n} & set(range(n + 1))):
        test = stats.binomtest(k, n)
        wilson, exact = test.proportion_ci(0.95, "wilson"), test.proportion_ci(0.95, "exact")
        tight = test.proportion_ci(0.99, "exact")
        intervals.append([k, n, wilson.low, wilson.high, exact.low, exact.high, tight.low, tight.high])

mcnemar = [[b, c, stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0]
           for b, c in list(itertools.product(range(13), repeat=2)) + [(21, 7), (247, 4), (300, 300), (1000, 900), (3, 60)]]

beta = [[a, b, x, float(special.betainc(a, b, x))] for a in (0.5, 1.0, 2.0, 7.5, 33.0, 500.0)
        for b in (0.5, 1.0, 3.0, 16.0, 250.0) for x in (0.001, 0.1, 0.3, 0.5, 0.77, 0.999)]

rank = [[e, k, float(F(1 + e, k + 1))] for k in (1, 19, 99, 999) for e in (0, 1, k // 2, k)]

rng = random.Random(5)
selection = []
for case in range(300):
    n_harmful, n_harmless = rng.choice([(4, 4), (16, 16), (5, 3), (7, 9), (32, 31)])
    base = [rng.randint(0, n_harmful), rng.randint(0, n_harmless)]
    layers = [[layer, rng.random() > 0.2, rng.randint(0, n_harmful), rng.randint(0, n_harmless)]
              for layer in range(1, rng.randint(1, 9))]
    swing = {l: F(base[0] - a, n_harmful) + F(b - base[1], n_harmless) for l, usable, a, b in layers if usable}
    tied = sorted(l for l, s in swing.items() if s == max(swing.values()))
    rng.shuffle(layers)
    selection.append({"n": [n_harmful, n_harmless], "baseline": base, "candidates": layers, "tied": tied})

(out / "stats.json").write_text(json.dumps(
    {"intervals": intervals, "mcnemar": mcnemar, "beta": beta, "rank": rank, "selection": selection}, separators=(",", ":")) + "\n")

HALF, QUARTER = F(1, 2), F(1, 4)
def verdict(base_harmful, ablate, ablate_control, base_harmless, add, add_control):
    if base_harmful < HALF: return "B"
    suppression = base_harmful - ablate >= HALF and ablate_control - ablate >= QUARTER
    induction = add - base_harmless >= HALF and add - add_control >= QUARTER
    return "R" if suppression and induction else "N"
# Every count of every cell, in the order of the arguments above, the last varying fastest.
decisions = []
for sizes in ((1,) * 6, (2,) * 6, (3,) * 6, (4,) * 6, (4, 3, 5, 2, 3, 4), (5, 5, 5, 3, 3, 3)):
    rates = [[F(k, n) for k in range(n + 1)] for n in sizes]
    decisions.append({"n": sizes, "verdicts": "".join(verdict(*cell) for cell in itertools.product(*rates))})
(out / "decisions.json").write_text(json.dumps(decisions, separators=(",", ":")) + "\n")
