#!/usr/bin/env python3
"""Edits of the tiny checkpoints of tests/golden/model, made by transformers hooks and by orthogonalised weights.

  python make_edits_golden.py ../model edits.safetensors      (transformers 5.17, torch 2.11, safetensors)

For every checkpoint and case the file holds
  <model>.<case>.states   [layers + 1, n, hidden]  inputs of every block, then the last block's output
  <model>.<case>.logits   [n, vocabulary]
  <model>.<case>.greedy   [12] int32
and for all of them prompt [n] int32 and directions [2, hidden]. Cases:
  plain    nothing
  ablate   direction 0 removed from every write (so from the stream at every site)
  both     both directions removed from every write
  half     half of direction 0's projection removed from every write
  add      1.5 x direction 0 added at the input of block 1
  set      the projection on direction 0 set to 3 at the inputs of blocks 1 and 2
  weights  as ablate, by weights made orthogonal to direction 0 (pre-norm, untied head, no biases: llama)
A write is what is added to the stream: after the post-norms of Gemma 3, after the scaling of its embedding.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

MODELS = ["llama", "llama_tied", "llama_bias", "qwen2", "qwen3", "gemma3"]
GREEDY = 12


def writers(model):
    """Modules whose outputs are the writes, in site order."""
    yield model.model.embed_tokens
    for layer in model.model.layers:
        post_norms = hasattr(layer, "post_feedforward_layernorm")
        yield layer.post_attention_layernorm if post_norms else layer.self_attn
        yield layer.post_feedforward_layernorm if post_norms else layer.mlp


def on_output(edit):
    def hook(module, inputs, output):
        return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)
    return hook


def on_input(edit):
    def hook(module, args, kwargs):
        if args:
            return (edit(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": edit(kwargs["hidden_states"])}
    return hook


def install(model, case, r):
    """Registers the case's hooks; returns them."""
    unit = r[0] / r[0].norm()
    basis = torch.linalg.qr(r.T.double())[0].float()  # [hidden, 2]
    layers = model.model.layers
    if case in ("ablate", "half"):
        share = 1.0 if case == "ablate" else 0.5
        return [m.register_forward_hook(on_output(lambda x: x - share * (x @ unit)[..., None] * unit)) for m in writers(model)]
    if case == "both":
        return [m.register_forward_hook(on_output(lambda x: x - (x @ basis) @ basis.T)) for m in writers(model)]
    if case == "add":
        return [layers[1].register_forward_pre_hook(on_input(lambda x: x + 1.5 * r[0]), with_kwargs=True)]
    if case == "set":
        return [layers[l].register_forward_pre_hook(on_input(lambda x: x + (3.0 - x @ unit)[..., None] * unit), with_kwargs=True)
                for l in (1, 2)]
    return []


def orthogonalise(model, r):
    unit = r[0] / r[0].norm()
    embedding = model.model.embed_tokens.weight
    embedding.data -= (embedding @ unit)[:, None] * unit
    for layer in model.model.layers:
        for linear in (layer.self_attn.o_proj, layer.mlp.down_proj):
            linear.weight.data -= unit[:, None] * (unit @ linear.weight)


@torch.inference_mode()
def run(model, prompt, edits):
    """States, logits and greedy tokens. States are read after the edits."""
    streams, hooks = [], list(edits)
    keep = lambda x: (streams.append(x[0].clone()), x)[1]
    for layer in model.model.layers:
        hooks.append(layer.register_forward_pre_hook(on_input(keep), with_kwargs=True))
    hooks.append(model.model.norm.register_forward_pre_hook(on_input(keep), with_kwargs=True))
    logits = model(prompt[None], use_cache=False).logits[0]
    states = torch.stack(streams)
    ids = prompt
    for _ in range(GREEDY):
        ids = torch.cat([ids, model(ids[None], use_cache=False).logits[0, -1].argmax()[None]])
    for hook in hooks:
        hook.remove()
    return states, logits.float(), ids[len(prompt):].to(torch.int32)


def main():
    folder, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)  # tiny products; a team of threads only waits
    generator = torch.Generator().manual_seed(20)
    prompt = torch.randint(3, 101, (11,), generator=generator)
    r = torch.randn(2, 48, generator=generator) * 1.5
    tensors = {"prompt": prompt.to(torch.int32), "directions": r}
    for name in MODELS:
        for case in ["plain", "ablate", "both", "half", "add", "set"] + (["weights"] if name == "llama" else []):
            model = AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32).eval()
            with torch.inference_mode():
                if case == "weights":
                    orthogonalise(model, r)
            states, logits, greedy = run(model, prompt, install(model, case, r))
            tensors[f"{name}.{case}.states"] = states.contiguous()
            tensors[f"{name}.{case}.logits"] = logits.contiguous()
            tensors[f"{name}.{case}.greedy"] = greedy
            top = logits.topk(2).values
            print(name, case, "least greedy margin at the prompt's end", float((top[-1, 0] - top[-1, 1])))
    save_file(tensors, out)


if __name__ == "__main__":
    main()
