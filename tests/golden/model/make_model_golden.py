#!/usr/bin/env python3
"""Makes the tiny random checkpoints and their reference values that tests/server/model compare the decoder with.

  python make_model_golden.py OUT [NAME ...]      (transformers 5.17, torch 2.11, safetensors; OUT is this folder to remake them)

Every parameter is random and non-constant, gains and biases included, so that a tensor whose effect is dropped shows. For each checkpoint
OUT/<name>/ gets config.json, generation_config.json, model.safetensors and expected.safetensors. References are computed by a model that
transformers loads from that folder again, so that its own reading of the files is part of them. expected.safetensors holds for each prompt i
  prompt.<i>    [n] int32                        token ids
  greedy.<i>    [32] int32                       the tokens that greedy decoding appends; the best logit leads by LEAD at every step
  last.<i>      [layers + 1, hidden] float32     the last position's inputs of every block, then the last block's output
  dots.<i>      [layers + 1, n, 2] float32       all positions' states times "probe" [hidden, 2], whose columns have length 1
  logits.<i>    [m, vocabulary] float32          at positions.<i> [m] int32: all of a short prompt, a few of a long one
  bf16.<i>      [m, vocabulary] bfloat16         the same in bfloat16
  states.<i>    [layers + 1, n, hidden] float32  of the two shortest prompts
  embedded.<i>  [n, hidden] bfloat16             of these two: the first block's input in bfloat16
and as metadata the seed and the shape. The first seven checkpoints (hidden 48, 3 layers, vocabulary 101, context 256) serve other tests too.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, MistralConfig,
                          MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

GREEDY = 32
LEAD = 1e-3  # of max(1, the largest logit): ten times the tolerance of a logit
FULL_STATES, FULL_LOGITS = 2, 3  # prompts
SMALL = dict(vocab_size=101, hidden_size=48, num_hidden_layers=3, num_attention_heads=6,
             num_key_value_heads=2, intermediate_size=80, max_position_embeddings=256,
             initializer_range=0.2, eos_token_id=2, bos_token_id=1, pad_token_id=0)
LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=64)


def size(hidden, layers, heads, kv_heads, head_dim, intermediate, vocabulary=83, **more):
    """Shapes that fill no vector register, a long context, and an epsilon large enough to show."""
    return dict(SMALL, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
                head_dim=head_dim, intermediate_size=intermediate, vocab_size=vocabulary, max_position_embeddings=1000,
                rms_norm_eps=3e-3, **more)


def default_rope(theta):
    return dict(rope_type="default", rope_theta=theta)


def linear_rope(theta, factor):
    return dict(rope_type="linear", rope_theta=theta, factor=factor)


def old_spelling(written):
    """As transformers 4 wrote it: rope_theta and rope_scaling at the top, torch_dtype, Gemma's pattern instead of layer_types."""
    parameters = written.pop("rope_parameters")
    written["torch_dtype"] = written.pop("dtype")
    if "full_attention" in parameters:
        written["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
        written["sliding_window_pattern"] = 2
        del written["layer_types"], written["_sliding_window_pattern"]
    written["rope_theta"] = parameters.pop("rope_theta")
    written["rope_scaling"] = None if parameters["rope_type"] == "default" else parameters


# name: class, config, type of the file, change to config.json
F32, BF16, F16 = "float32", "bfloat16", "float16"
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SMALL, rope_parameters=LLAMA3), F32, None),
    "llama_tied": (LlamaForCausalLM, LlamaConfig(
        **{**SMALL, "num_key_value_heads": 3}, tie_word_embeddings=True, rope_parameters=linear_rope(1000.0, 2.0)), F32, None),
    "llama_bias": (LlamaForCausalLM, LlamaConfig(
        **{**SMALL, "num_attention_heads": 4, "num_key_value_heads": 4}, attention_bias=True,
        mlp_bias=True, head_dim=10, rope_parameters=default_rope(10000.0)), F32, None),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SMALL, tie_word_embeddings=True, rope_parameters=default_rope(1e6)), F32, None),
    "qwen2_window": (Qwen2ForCausalLM, Qwen2Config(
        **SMALL, use_sliding_window=True, sliding_window=7, max_window_layers=1, rope_parameters=default_rope(1e4)), F32, None),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SMALL, head_dim=16, rope_parameters=default_rope(1e6)), F32, None),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(
        **SMALL, head_dim=16, query_pre_attn_scalar=24, sliding_window=6, final_logit_softcapping=9.0,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={"full_attention": default_rope(1e6), "sliding_attention": default_rope(1e4)}), F32, None),
    "llama_deep": (LlamaForCausalLM, LlamaConfig(
        **size(36, 4, 6, 1, 10, 52), rope_parameters={**LLAMA3, "factor": 32.0, "original_max_position_embeddings": 128}),
        BF16, old_spelling),
    "llama_one": (LlamaForCausalLM, LlamaConfig(
        **size(33, 1, 3, 3, 12, 50), tie_word_embeddings=True, mlp_bias=True, rope_parameters=linear_rope(1e5, 4.0)), F16, None),
    "qwen2_deep": (Qwen2ForCausalLM, Qwen2Config(
        **size(40, 4, 5, 1, 8, 44), tie_word_embeddings=True, use_sliding_window=True, sliding_window=33,
        layer_types=["sliding_attention", "full_attention", "full_attention", "sliding_attention"],
        rope_parameters=default_rope(1e6)), BF16, None),
    "qwen2_one": (Qwen2ForCausalLM, Qwen2Config(**size(28, 1, 2, 1, 14, 60), rope_parameters=default_rope(1e4)), F16, old_spelling),
    "qwen3_window": (Qwen3ForCausalLM, Qwen3Config(
        **size(36, 3, 4, 2, 12, 52), tie_word_embeddings=True, attention_bias=True, use_sliding_window=True, sliding_window=16,
        max_window_layers=2, rope_parameters=default_rope(1e5)), BF16, None),
    "qwen3_one": (Qwen3ForCausalLM, Qwen3Config(
        **size(50, 1, 5, 1, 6, 70, vocabulary=97), rope_parameters=linear_rope(1e4, 3.0)), F32, None),
    "gemma3_deep": (Gemma3ForCausalLM, Gemma3TextConfig(
        **size(36, 4, 4, 1, 10, 52), query_pre_attn_scalar=20, sliding_window=17,
        layer_types=["sliding_attention", "full_attention"] * 2,
        rope_parameters={"full_attention": linear_rope(1e6, 8.0), "sliding_attention": default_rope(1e4)}), BF16, old_spelling),
    "gemma3_one": (Gemma3ForCausalLM, Gemma3TextConfig(
        **size(30, 1, 3, 3, 14, 46), query_pre_attn_scalar=9, sliding_window=40, attention_bias=True, tie_word_embeddings=False,
        layer_types=["sliding_attention"],
        rope_parameters={"full_attention": default_rope(1e6), "sliding_attention": default_rope(1e3)}), F16, None),
    "mistral": (MistralForCausalLM, MistralConfig(
        **size(36, 3, 6, 2, 10, 52), sliding_window=13, rope_parameters=default_rope(1e4)), BF16, old_spelling),
    "mistral_tied": (MistralForCausalLM, MistralConfig(
        **size(40, 4, 4, 1, 8, 44), sliding_window=None, tie_word_embeddings=True, rope_parameters=default_rope(1e6)), BF16, None),
    "mistral_one": (MistralForCausalLM, MistralConfig(
        **size(28, 1, 2, 2, 14, 60), sliding_window=250, rope_parameters=linear_rope(1e4, 2.0)), F16, None),
}


def prompt_lengths(config):
    return [1, 9, 23, 57, 200] if config.max_position_embeddings == 256 else [1, 9, 23, 130, 600]


def randomise(model, generator):
    """Gives gains a spread around their neutral value and biases a spread around zero."""
    unit_offset = "Gemma" in type(model).__name__
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() == 1:
            p.data = 0.3 * noise + (0.0 if name.endswith("bias") or unit_offset else 1.0)
        else:
            p.data = noise * (1.5 / p.shape[1] ** 0.5 if "embed" not in name else 0.7)
        assert p.numel() > 1 and p.std() > 0, name


@torch.inference_mode()
def states_and_logits(model, prompt):
    """[layers + 1, n, hidden] and [n, vocabulary]"""
    streams = []
    hooks = [layer.register_forward_pre_hook(lambda m, x, k: streams.append((x[0] if x else k["hidden_states"])[0].clone()), with_kwargs=True)
             for layer in model.model.layers]
    hooks.append(model.model.norm.register_forward_pre_hook(lambda m, x: streams.append(x[0][0].clone())))
    logits = model(prompt[None]).logits[0]
    for hook in hooks:
        hook.remove()
    return torch.stack(streams), logits.float()


@torch.inference_mode()
def greedy_tokens(model, prompt):
    """32 tokens, each computed from all tokens before it without a cache; None if a lead is too small to bind two correct programs."""
    ids = prompt
    for _ in range(GREEDY):
        logits = model(ids[None]).logits[0, -1]
        best = logits.topk(2).values
        if best[0] - best[1] < LEAD * max(1.0, logits.abs().max().item()):
            return None
        ids = torch.cat([ids, logits.argmax()[None]])
    return ids[len(prompt):]


def draw_prompt(model, n, generator):
    for _ in range(100):
        prompt = torch.randint(3, model.config.vocab_size, (n,), generator=generator)
        greedy = greedy_tokens(model, prompt)
        if greedy is not None:
            return prompt, greedy
    raise SystemExit(f"no prompt of {n} tokens has clear greedy tokens")


def write_checkpoint(folder, kind, config, file_type, change, generator):
    model = kind(config).float().eval()
    randomise(model, generator)
    model = model.to(getattr(torch, file_type))
    model.generation_config.eos_token_id = [2, 5]
    model.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    written["dtype"] = file_type
    if change is not None:
        change(written)
    (folder / "config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")


def load(folder, dtype):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()


def expected_values(folder, config, generator):
    model, half = load(folder, torch.float32), load(folder, torch.bfloat16)
    probe = torch.randn((config.hidden_size, 2), generator=generator)
    probe /= probe.norm(dim=0)
    expected = {"probe": probe}
    for i, n in enumerate(prompt_lengths(config)):
        prompt, greedy = draw_prompt(model, n, generator)
        states, logits = states_and_logits(model, prompt)
        positions = torch.arange(n) if i < FULL_LOGITS else torch.tensor([0, n // 5, n // 2, n - 2, n - 1])
        expected |= {f"prompt.{i}": prompt.int(), f"greedy.{i}": greedy.int(), f"last.{i}": states[:, -1],
                     f"dots.{i}": states @ probe, f"positions.{i}": positions.int(), f"logits.{i}": logits[positions]}
        if i < FULL_STATES:
            expected[f"states.{i}"] = states
        half_states, half_logits = states_and_logits(half, prompt)
        expected[f"bf16.{i}"] = half_logits[positions].bfloat16()
        if i < FULL_STATES:
            expected[f"embedded.{i}"] = half_states[0]
    return expected


def main(out, names):
    for seed, (name, (kind, config, file_type, change)) in enumerate(MODELS.items()):
        if names and name not in names:
            continue
        config._attn_implementation = "eager"
        generator = torch.Generator().manual_seed(seed)
        folder = pathlib.Path(out) / name
        write_checkpoint(folder, kind, config, file_type, change, generator)
        expected = expected_values(folder, config, generator)
        shape = (f"{config.model_type}, {config.num_hidden_layers} layers, hidden {config.hidden_size}, heads {config.num_attention_heads}"
                 f"/{config.num_key_value_heads} x {getattr(config, 'head_dim', None) or config.hidden_size // config.num_attention_heads}, "
                 f"{'tied' if config.tie_word_embeddings else 'untied'}, window {getattr(config, 'sliding_window', None)}, {file_type} file")
        save_file({k: v.clone().contiguous() for k, v in expected.items()}, folder / "expected.safetensors", {"seed": str(seed), "shape": shape})
        print(name, "seed", seed, shape, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
