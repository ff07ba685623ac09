#!/usr/bin/env python3
"""Compares a run of steerctl with transformers' hooks on the same splits and control. Standard library only; reads counts, never text.

  compare.py where RUN SEED              prints "set layer control_seed" of a seed
  compare.py compare RUN SEED REFERENCE  exits 0 if the layer is the same, or its swing within 2/n_val of the reference's best, and every rate
                                         is within two prompts
"""
import json
import sys


def seed_of(run, seed):
    with open(f"{run}/summary.json") as f:
        summary = json.load(f)
    return summary, next(s for s in summary["seeds"] if s["seed"] == seed)


def where(run, seed):
    summary, s = seed_of(run, seed)
    print(s["fit"]["set_id"], s["selection"]["layer"], summary["plan"]["controls"]["seed"] + seed)


def compare(run, seed, reference_path):
    summary, s = seed_of(run, seed)
    with open(reference_path) as f:
        reference = json.load(f)
    layer, n_val = s["selection"]["layer"], summary["plan"]["splits"]["validation"]
    best = max(reference["swing"])
    theirs = reference["swing"][layer - 1]
    ok = layer == reference["layer"] or best - theirs <= 2 / n_val + 1e-9
    print(f"{summary['plan']['name']} seed {seed}: layer {layer}, transformers {reference['layer']}"
          f" (swing there {theirs:.4f}, best {best:.4f}): {'agrees' if ok else 'DIFFERS'}")
    arms = {a["arm"]: a for a in s["arms"]}
    names = {"baseline/harmful": "baseline_harmful", "baseline/harmless": "baseline_harmless"}
    # With another layer the edited arms are other experiments; only the baselines compare then.
    if layer == reference["layer"]:
        names.update({"ablate/harmful": "ablate_fitted", "ablate-control-0/harmful": "ablate_control",
                      "add/harmless": "add_fitted", "add-control-0/harmless": "add_control"})
    for arm, key in names.items():
        ours, n = arms[arm]["refused"], arms[arm]["n"]
        near = abs(ours - reference[key] * n) <= 2 + 1e-9
        ok = ok and near
        print(f"  {arm:26} {ours}/{n}  transformers {round(reference[key] * n)}/{n}  {'agrees' if near else 'DIFFERS'}")
    norms = {r["layer"]: r["norm"] for r in s["fit"]["layers"]}
    worst = max(abs(norms[l] - x) / max(x, 1e-6) for l, x in enumerate(reference["norms"]) if l > 0)
    print(f"  norms of the fitted directions: largest relative difference {worst:.2g}")
    print(f"  verdict {s['decision']['verdict']}, transformers {reference['verdict']}")
    return ok


if __name__ == "__main__":
    if sys.argv[1] == "where":
        where(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(0 if compare(sys.argv[2], int(sys.argv[3]), sys.argv[4]) else 1)
