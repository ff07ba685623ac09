"""Runs edits in transformers, by forward hooks on the modules whose outputs are the writes and on the blocks' inputs.

A write is what is added to the stream: after the post-norms of Gemma 3, after the scaling of its embedding. The arithmetic of an edit is
float64, rounded once to the model's type. Written from the formulas of edit_cases.py alone.
"""
import json

import torch
from transformers import DynamicCache

GREEDY = 8


def covers(op, position, prompt_tokens):
    """[T, 1] bool: which tokens the op touches."""
    generated = position >= prompt_tokens
    scope = {"all": torch.ones_like(generated), "prompt": ~generated, "generated": generated,
             "last": position >= prompt_tokens - op["last"]}[op["scope"]]
    return scope[:, None]


def apply(op, x, directions):
    d = directions[op["directions"]].double()
    amount = op["amount"]
    if op["kind"] == "ablate":
        basis = torch.linalg.qr(d.T)[0]
        return x - amount * (x @ basis) @ basis.T
    if op["kind"] == "add":
        return x + amount * d[0]
    if op["kind"] == "set":
        unit = d[0] / d[0].norm()
        return x + (amount - x @ unit)[:, None] * unit
    v, u = (d / d.norm(dim=1, keepdim=True)).float().double()
    return x + (amount - x @ u)[:, None] * v


class Edited:
    """Registers a case's hooks on a model; keeps the stream at every site of the last forward pass."""

    def __init__(self, model, ops, directions, prompt_tokens):
        self.ops, self.directions, self.prompt_tokens = ops, directions, prompt_tokens
        self.start = 0  # position of the first token of the next forward pass
        base = model.model
        self.sites = 2 * len(base.layers) + 1
        self.streams = [None] * self.sites
        self.hooks = [base.embed_tokens.register_forward_hook(self.on_write(0))]
        for l, layer in enumerate(base.layers):
            post_norms = hasattr(layer, "post_feedforward_layernorm")
            attention = layer.post_attention_layernorm if post_norms else layer.self_attn
            mlp = layer.post_feedforward_layernorm if post_norms else layer.mlp
            self.hooks += [layer.register_forward_pre_hook(self.on_input(2 * l), with_kwargs=True),
                           attention.register_forward_hook(self.on_write(2 * l + 1)), mlp.register_forward_hook(self.on_write(2 * l + 2))]
        self.hooks.append(base.norm.register_forward_pre_hook(self.on_input(self.sites - 1), with_kwargs=True))

    def remove(self):
        for hook in self.hooks:
            hook.remove()

    def edit(self, x, site, target):
        """x [1, T, hidden] with the site's ops applied; the same tensor where there are none."""
        here = [o for o in self.ops if o["target"] == target and site in o["sites"]]
        position = self.start + torch.arange(x.shape[1])
        for o in sorted(here, key=lambda o: o["kind"] == "add"):
            edited = apply(o, x[0].double(), self.directions).to(x.dtype)
            x = torch.where(covers(o, position, self.prompt_tokens), edited, x[0])[None]
        return x

    def on_write(self, site):
        def hook(module, inputs, output):
            write = self.edit(output[0] if isinstance(output, tuple) else output, site, "write")
            if site % 2 == 1:
                # The stream between attention and MLP is no module's input: what is added is changed so that the sum is the edited stream.
                before = self.streams[site - 1]
                x = before + write
                edited = self.edit(x, site, "stream")
                if edited is not x:
                    write = edited - before
                self.streams[site] = before + write
            return (write, *output[1:]) if isinstance(output, tuple) else write
        return hook

    def on_input(self, site):
        def hook(module, args, kwargs):
            x = args[0] if args else kwargs["hidden_states"]
            x = self.streams[site] = self.edit(x, site, "stream")
            return ((x, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": x})
        return hook


@torch.inference_mode()
def run(model, ops, directions, prompt, kept, greedy=GREEDY):
    """One case -> tensors by name, the least greedy margin, and what cached and uncached passes differ by.

    states [sites, len(kept), hidden] and logits [len(kept), vocabulary] at the positions `kept` of prompt and continuation, from one pass
    over all of it without a cache; greedy [greedy] from cached steps; margins [greedy] between the two largest logits.
    """
    edited = Edited(model, ops, directions, len(prompt))
    cache = DynamicCache(config=model.config)
    ids, feed, margins, steps = prompt, prompt, [], []
    for _ in range(greedy):
        edited.start = len(ids) - len(feed)
        logits = model(feed[None], past_key_values=cache, use_cache=True, logits_to_keep=1).logits[0, -1].float()
        top = logits.topk(2)
        margins.append(float(top.values[0] - top.values[1]))
        steps.append(logits)
        feed = top.indices[:1]
        ids = torch.cat([ids, feed])
    edited.start = 0
    first = kept[0]
    logits = model(ids[None, :-1], use_cache=False, logits_to_keep=len(ids) - 1 - first).logits[0].float()
    edited.remove()
    drift = float((logits[len(prompt) - 1 - first:] - torch.stack(steps)).abs().max())
    tensors = {"states": torch.stack([x[0, kept].float() for x in edited.streams]), "logits": logits[[k - first for k in kept]],
               "greedy": ids[len(prompt):].to(torch.int32), "margins": torch.tensor(margins)}
    return tensors, min(margins), drift


@torch.inference_mode()
def orthogonalise(model, directions, keep_head):
    """Arditi et al. 2024, section 4.1: every matrix and bias that writes to the stream, made orthogonal to direction 0."""
    unit = directions[0].double() / directions[0].double().norm()

    def without(rows):  # [..., hidden]
        return (rows.double() - (rows.double() @ unit)[..., None] * unit).to(rows.dtype)
    if keep_head and model.lm_head.weight is model.model.embed_tokens.weight:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone(), requires_grad=False)
    model.model.embed_tokens.weight.data = without(model.model.embed_tokens.weight)
    if not keep_head and model.config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
    for layer in model.model.layers:
        for linear in (layer.self_attn.o_proj, layer.mlp.down_proj):
            linear.weight.data = without(linear.weight.T).T.contiguous()
            if linear.bias is not None:
                linear.bias.data = without(linear.bias)


def metadata(model, cases, prompt_tokens, kept):
    layers = len(model.model.layers)
    facts = {"cases": cases, "layers": layers, "hidden": model.config.hidden_size, "kept": kept,
             "tied": bool(model.config.tie_word_embeddings),
             "post_norms": hasattr(model.model.layers[0], "post_feedforward_layernorm"), "prompt_tokens": prompt_tokens}
    return {"edits": json.dumps(facts, sort_keys=True, separators=(",", ":"))}
