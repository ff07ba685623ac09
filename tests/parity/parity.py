#!/usr/bin/env python3
"""Compares steer-parity with transformers on one checkpoint, prompt by prompt; tests/parity/run.sh calls it.

float32: the rules of parity with their bounds, each prompt passing or failing each of them. bfloat16: two correct programs round differently,
and on a real checkpoint transformers in bfloat16 has another most likely token than transformers in float32 at one to three positions in a
hundred. So the float32 values are the truth that both are measured against, over all positions together: where the truth's lead is larger than
what rounding moves (twice the largest error of transformers' logits at the position), the most likely token must be the truth's at 99 % of the
positions; over all positions we may differ from the truth no more often than transformers does, but for chance (three standard errors); and the
mean distance of a logit is at most 1.1 times theirs.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

from reference import Reference, Text, tolerance

GREEDY = 32
STATE_BOUND = 2e-5
LOGIT_POSITIONS = 64  # at most, of a prompt: logits are wide
TOP1 = 0.99
MIN_DECIDED = 500  # positions, below which 99 % of them is reported and not judged


class Program:
    """The product, one JSON line for another."""

    def __init__(self, path, model, dtype):
        self.process = subprocess.Popen([path, model, dtype], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            sys.exit("steer-parity ended: see its message above")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def row(self, ids, positions):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "row.safetensors")
            self.ask(ids=ids, greedy=GREEDY, positions=positions, out=out)
            return {name: tensor.clone() for name, tensor in load_file(out).items()}


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED", what, flush=True)


def read_prompts(path, count):
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    prompts = data["prompts"] + [{"text": "\n\n".join(data["prompts"][i]["text"] for i in parts)} for parts in data["joined"]]
    return prompts if count in (0, len(prompts)) else [prompts[i * len(prompts) // count] for i in range(count)]


def ids_of_prompts(args, program, reference, tally):
    """Transformers' ids of every prompt; the product's text and ids must equal them. Without a tokenizer, random ids."""
    text = Text(args.model)
    if text.tokenizer is None:
        rng = random.Random(1)
        lengths = [1, 2, 7, 40, 128, 129, 300, 600]
        longest = reference.context - GREEDY
        return [[rng.randrange(3, reference.vocabulary) for _ in range(min(n, longest))] for n in lengths]
    all_ids = []
    for i, prompt in enumerate(read_prompts(args.prompts, args.count)):
        rendered, ids = text.render(prompt)
        answer = program.ask(text=prompt["text"], raw=prompt.get("raw", False))
        tally.check(answer["rendered"] == rendered, f"prompt {i}: the template renders another text")
        tally.check(answer["ids"] == ids, f"prompt {i}: {len(answer['ids'])} ids, transformers has {len(ids)}, or others")
        all_ids.append(ids)
    return all_ids


def spread(n):
    return sorted({round(k * (n - 1) / (LOGIT_POSITIONS - 1)) for k in range(LOGIT_POSITIONS)}) if n > LOGIT_POSITIONS else list(range(n))


class Float32:
    def __init__(self, args, tally):
        self.truth, self.tally = Reference(args.model, torch.float32), tally
        self.layers = []  # worst (error, prompt, position) of each layer
        self.logits = self.positions = self.agreed = self.rows = self.rows_over = 0
        self.median_of_rows = []

    def prompt(self, i, ids, row, positions):
        states, logits = self.truth.run(ids)
        errors = (row["states"] - states).abs().amax(-1) / states.abs().amax(-1)  # [layers + 1, n]
        worst, where = errors.max(-1)
        self.layers = self.layers or [(0.0, 0, 0)] * len(worst)
        self.layers = [max(old, (w.item(), i, p.item())) for old, w, p in zip(self.layers, worst, where)]
        self.rows += errors.numel()
        self.rows_over += (errors > STATE_BOUND).sum().item()
        self.median_of_rows.append(errors.median().item())
        at = errors.max().item()
        self.tally.check(at <= STATE_BOUND, f"prompt {i} ({len(ids)} tokens): a state is off by {at:.2e} of its row")
        error = (row["logits"] - logits[positions]).abs().max().item() / tolerance(logits)
        self.logits = max(self.logits, error)
        self.tally.check(error <= 1, f"prompt {i} ({len(ids)} tokens): a logit is off by {error:.2f} tolerances")
        same = row["top1"] == logits.argmax(-1)
        self.positions += len(ids)
        self.agreed += same.sum().item()
        best = logits.topk(2).values
        lead = ((best[:, 0] - best[:, 1])[~same] / tolerance(logits)).tolist()
        self.tally.check(not lead, f"prompt {i} ({len(ids)} tokens): other top-1 at positions {(~same).nonzero()[:, 0].tolist()[:8]}, "
                         f"leads {lead[:8]} tolerances")
        tokens, leads = self.truth.greedy(ids, GREEDY)
        ours = row["greedy"].tolist()
        fork = next((k for k in range(GREEDY) if ours[k] != tokens[k]), None)
        self.tally.check(fork is None, f"prompt {i} ({len(ids)} tokens): greedy tokens part at {fork}"
                         + ("" if fork is None else f", where the lead is {leads[fork]:.3f} tolerances"))

    def report(self):
        for layer, (error, prompt, position) in enumerate(self.layers):
            print(f"input of block {layer:2}: worst {error:.2e} of its row (prompt {prompt}, position {position})")
        over = sum(error > STATE_BOUND for error, _, _ in self.layers)
        print(f"states: worst {max(self.layers)[0]:.2e}, bound {STATE_BOUND:.0e}; {over} of {len(self.layers)} layers and {self.rows_over} of "
              f"{self.rows} rows over it; median of rows, worst prompt {max(self.median_of_rows):.2e}")
        print(f"logits: worst {self.logits:.3f} of 1e-4 max(1, max|b|)")
        print(f"top-1: {self.agreed} of {self.positions} positions")


class BFloat16:
    def __init__(self, args, tally):
        self.truth, self.peer, self.tally = Reference(args.model, torch.float32), Reference(args.model, torch.bfloat16), tally
        self.positions = 0
        self.agreed = {"ours with theirs": 0, "ours with float32": 0, "theirs with float32": 0}
        self.distance = {"ours": 0.0, "theirs": 0.0}
        self.states = {"ours": [], "theirs": []}
        self.decided = self.decided_agreed = 0
        self.values = self.greedy = self.prompts = 0

    def prompt(self, i, ids, row, positions):
        states, exact = self.truth.run(ids)
        peer_states, peer = self.peer.run(ids)
        ours, theirs, top = row["top1"], peer.argmax(-1), exact.argmax(-1)
        self.positions += len(ids)
        for name, same in zip(self.agreed, (ours == theirs, ours == top, theirs == top)):
            self.agreed[name] += same.sum().item()
        best = exact.topk(2).values
        decided = best[:, 0] - best[:, 1] > 2 * (peer - exact).abs().amax(-1)
        self.decided += decided.sum().item()
        self.decided_agreed += (decided & (ours == top)).sum().item()
        self.values += exact[positions].numel()
        self.distance["ours"] += (row["logits"] - exact[positions]).abs().double().sum().item()
        self.distance["theirs"] += (peer[positions] - exact[positions]).abs().double().sum().item()
        for name, value in (("ours", row["states"]), ("theirs", peer_states)):
            self.states[name].append(((value - states).norm(dim=-1) / states.norm(dim=-1)).mean(-1))  # [layers + 1]
        self.prompts += 1
        self.greedy += row["greedy"].tolist() == self.peer.greedy(ids, GREEDY)[0]

    def report(self):
        ours, theirs = (torch.stack(self.states[name]).mean(0) for name in ("ours", "theirs"))
        for layer, (a, b) in enumerate(zip(ours.tolist(), theirs.tolist())):
            print(f"input of block {layer:2}: |x - float32| / |float32|, mean over rows: ours {a:.2e}, theirs {b:.2e}")
        for name, count in self.agreed.items():
            print(f"top-1, {name}: {count} of {self.positions} = {100 * count / self.positions:.2f} %")
        a, b = (self.distance[name] / self.values for name in ("ours", "theirs"))
        print(f"mean distance of a logit to float32: ours {a:.4e}, theirs {b:.4e}, ours / theirs {a / b:.3f}")
        print(f"same {GREEDY} greedy tokens as transformers in bfloat16: {self.greedy} of {self.prompts} prompts")
        print(f"top-1 where float32's lead exceeds rounding: {self.decided_agreed} of {self.decided}")
        if self.decided >= MIN_DECIDED:
            self.tally.check(self.decided_agreed >= TOP1 * self.decided, "other top-1 where rounding cannot be the reason")
        ours, theirs = (self.positions - self.agreed[name] for name in ("ours with float32", "theirs with float32"))
        self.tally.check(ours <= theirs + 3 * (ours + theirs) ** 0.5, "other top-1 than float32 more often than transformers has")
        self.tally.check(a <= 1.1 * b, "logits are farther from float32 than transformers' are")


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "model", "dtype", "prompts"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--count", type=int, default=0)
    args = parser.parse_args()
    if args.dtype not in ("float32", "bfloat16"):
        parser.error("--dtype is float32 or bfloat16")
    tally = Tally()
    program = Program(args.program, args.model, args.dtype)
    comparison = (Float32 if args.dtype == "float32" else BFloat16)(args, tally)
    all_ids = ids_of_prompts(args, program, comparison.truth, tally)
    for i, ids in enumerate(all_ids):
        positions = spread(len(ids))
        comparison.prompt(i, ids, program.row(ids, positions), positions)
        print(f"prompt {i}: {len(ids)} tokens", file=sys.stderr, flush=True)
    print(f"{args.dtype}: {len(all_ids)} prompts, {sum(map(len, all_ids))} tokens")
    comparison.report()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
