#!/usr/bin/env python3
"""Makes the tiny random checkpoints and their reference values that tests/server/model compare the decoder with.

  python make_model_golden.py OUT      (transformers 5.17, torch 2.11, safetensors)

Every parameter is random and non-constant, gains and biases included, so that a tensor whose effect is dropped shows. For each checkpoint
OUT/<name>/ gets config.json, generation_config.json, model.safetensors and expected.safetensors, which holds for each prompt i
  prompt.<i>   [n] int32            token ids
  states.<i>   [layers + 1, n, hidden] float32   inputs of every block, then the last block's output
  logits.<i>   [n, vocabulary] float32
  greedy.<i>   [16] int32           the tokens that greedy decoding appends
  bf16.<i>     [n, vocabulary] bfloat16  logits of the same model in bfloat16
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

GREEDY = 16
SMALL = dict(vocab_size=101, hidden_size=48, num_hidden_layers=3, num_attention_heads=6,
             num_key_value_heads=2, intermediate_size=80, max_position_embeddings=256,
             initializer_range=0.2, eos_token_id=2, bos_token_id=1, pad_token_id=0)
LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=64)

MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SMALL, rope_parameters=LLAMA3)),
    "llama_tied": (LlamaForCausalLM, LlamaConfig(
        **{**SMALL, "num_key_value_heads": 3}, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="linear", rope_theta=1000.0, factor=2.0))),
    "llama_bias": (LlamaForCausalLM, LlamaConfig(
        **{**SMALL, "num_attention_heads": 4, "num_key_value_heads": 4}, attention_bias=True,
        mlp_bias=True, head_dim=10, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(
        **SMALL, tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=1e6))),
    "qwen2_window": (Qwen2ForCausalLM, Qwen2Config(
        **SMALL, use_sliding_window=True, sliding_window=7, max_window_layers=1,
        rope_parameters=dict(rope_type="default", rope_theta=1e4))),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(
        **SMALL, head_dim=16, rope_parameters=dict(rope_type="default", rope_theta=1e6))),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(
        **SMALL, head_dim=16, query_pre_attn_scalar=24, sliding_window=6, final_logit_softcapping=9.0,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={"full_attention": dict(rope_type="default", rope_theta=1e6),
                         "sliding_attention": dict(rope_type="default", rope_theta=1e4)})),
}
PROMPT_LENGTHS = [1, 9, 23]


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
def reference(model, prompt):
    """Block inputs, logits and greedy tokens of one prompt."""
    streams = []
    hooks = [layer.register_forward_pre_hook(lambda m, x, k: streams.append((x[0] if x else k["hidden_states"])[0].clone()), with_kwargs=True)
             for layer in model.model.layers]
    hooks.append(model.model.norm.register_forward_pre_hook(lambda m, x: streams.append(x[0][0].clone())))
    logits = model(prompt[None]).logits[0]
    for hook in hooks:
        hook.remove()
    ids = prompt
    for _ in range(GREEDY):
        ids = torch.cat([ids, model(ids[None]).logits[0, -1].argmax()[None]])
    return torch.stack(streams), logits.float(), ids[len(prompt):]


def main(out):
    for seed, (name, (kind, config)) in enumerate(MODELS.items()):
        config._attn_implementation = "eager"
        generator = torch.Generator().manual_seed(seed)
        model = kind(config).float().eval()
        randomise(model, generator)
        folder = pathlib.Path(out) / name
        model.generation_config.eos_token_id = [2, 5]
        model.save_pretrained(folder)
        written = json.loads((folder / "config.json").read_text())
        written["dtype"] = "float32"
        (folder / "config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
        expected = {}
        prompts = [torch.randint(3, config.vocab_size, (n,), generator=generator) for n in PROMPT_LENGTHS]
        for i, prompt in enumerate(prompts):
            states, logits, greedy = reference(model, prompt)
            expected |= {f"prompt.{i}": prompt.int(), f"states.{i}": states,
                         f"logits.{i}": logits, f"greedy.{i}": greedy.int()}
        half = kind.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="eager").eval()
        for i, prompt in enumerate(prompts):
            with torch.inference_mode():
                expected[f"bf16.{i}"] = half(prompt[None]).logits[0]
        save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
        print(name, sum(p.numel() for p in model.parameters()), "parameters")


if __name__ == "__main__":
    main(sys.argv[1])
