#!/usr/bin/env python3
"""The cases of tests/golden/steering on any checkpoint folder: what transformers computes under hooks, for edits_parity to compare with.

  python make_reference.py MODEL_DIR OUT_DIR [--dtype float32] [--prompts 2] [--cases NAME ...] [--no-weights]

Writes OUT_DIR/0.safetensors and so on, one a prompt, in the form that tests/support/edit_golden.h reads. Direction 0 is the difference of
mean states at the last token of two groups of prompts, at the input of the middle block; 1 to 7 are Gaussian draws of the same norm.
"""
import argparse
import pathlib
import sys
import time

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "golden/steering"))
from edit_cases import CASES, for_model  # noqa: E402
from edit_reference import metadata, orthogonalise, run  # noqa: E402

PROMPTS = ["Name three rivers that flow through more than one country.",
           "Write two sentences about how bread rises, for a child of ten.",
           "What is the difference between a violin and a viola?"]
COOKING = ["How do I cook rice?", "Which spices go with lentils?", "How long does pasta boil?", "What is a roux?"]
SKY = ["Why is the sky blue?", "How far away is the moon?", "What is a comet made of?", "Why do stars twinkle?"]


@torch.inference_mode()
def mean_difference(model, encode):
    layer = len(model.model.layers) // 2
    means = [torch.stack([model(encode(p)[None], output_hidden_states=True).hidden_states[layer][0, -1].double() for p in group]).mean(0)
             for group in (COOKING, SKY)]
    return (means[0] - means[1]).float()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="+", default=list(CASES), help="a few of the cases, where time is short")
    parser.add_argument("--no-weights", action="store_true")
    a = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(a.threads)
    start = time.monotonic()
    tokenizer = AutoTokenizer.from_pretrained(a.model)

    def load():
        return AutoModelForCausalLM.from_pretrained(a.model, dtype=getattr(torch, a.dtype), attn_implementation="eager").eval()

    def encode(prompt):
        text = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
        return torch.tensor(tokenizer.encode(text, add_special_tokens=False))
    model = load()
    difference = mean_difference(model, encode)
    noise = torch.randn(7, model.config.hidden_size, generator=torch.Generator().manual_seed(7))
    directions = torch.cat([difference[None], noise / noise.norm(dim=1, keepdim=True) * difference.norm()])
    cases = {case: for_model(ops, len(model.model.layers)) for case, ops in CASES.items() if case in a.cases}
    variants = [] if a.no_weights else ["weights"] + (["weights_keep_head"] if model.config.tie_word_embeddings else [])
    prompts = [encode(p) for p in PROMPTS[:a.prompts]]
    files = [{"prompt": p.to(torch.int32), "directions": directions} for p in prompts]
    worst_drift = 0.0
    for case, ops in [*cases.items(), *((v, []) for v in variants)]:
        if case in variants:
            del model
            model = load()
            orthogonalise(model, directions, case == "weights_keep_head")
        for prompt, tensors in zip(prompts, files):
            n = len(prompt)
            result, _, drift = run(model, ops, directions, prompt, [n - 4, n - 1, n + 3])
            worst_drift = max(worst_drift, drift)
            tensors.update({f"{case}.{key}": value.contiguous() for key, value in result.items()})
    for i, (prompt, tensors) in enumerate(zip(prompts, files)):
        n = len(prompt)
        save_file(tensors, f"{a.out}/{i}.safetensors", metadata=metadata(model, cases, n, [n - 4, n - 1, n + 3]))
    print(f"reference: {len(cases)} cases, prompts of {', '.join(str(len(p)) for p in prompts)} tokens, |direction| {difference.norm():.4g}, "
          f"transformers' cached and whole logits differ by at most {worst_drift:.1e}, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
