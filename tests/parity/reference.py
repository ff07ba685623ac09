"""transformers' side of tests/parity/run.sh: a checkpoint's template, ids, states, logits and greedy tokens."""
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


class Reference:
    def __init__(self, folder, dtype):
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()

    @torch.inference_mode()
    def run(self, ids):
        """[layers + 1, n, hidden] inputs of every block, then the last block's output, and logits [n, vocabulary]; float32."""
        streams = []

        def keep(_, args, kwargs):
            streams.append((args[0] if args else kwargs["hidden_states"])[0].float().clone())

        decoder = self.model.model
        hooks = [layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in decoder.layers]
        hooks.append(decoder.norm.register_forward_pre_hook(keep, with_kwargs=True))
        try:
            logits = self.model(torch.tensor([ids])).logits[0].float()
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack(streams), logits

    @torch.inference_mode()
    def greedy(self, ids, count):
        """Tokens, and at each step by how much the best logit leads, in units of a logit's tolerance."""
        from transformers import DynamicCache
        cache = DynamicCache(config=self.model.config)
        step, tokens, leads = torch.tensor([ids]), [], []
        for _ in range(count):
            logits = self.model(step, past_key_values=cache, use_cache=True).logits[0, -1].float()
            best = logits.topk(2)
            tokens.append(best.indices[0].item())
            leads.append(((best.values[0] - best.values[1]) / tolerance(logits)).item())
            step = torch.tensor([tokens[-1:]])
        return tokens, leads

    @property
    def context(self):
        return self.model.config.max_position_embeddings

    @property
    def vocabulary(self):
        return self.model.config.vocab_size


def tolerance(logits):
    return 1e-4 * max(1.0, logits.abs().max().item())


class Text:
    """None of it if the folder has no tokenizer.json."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder) if (pathlib.Path(folder) / "tokenizer.json").exists() else None

    def render(self, prompt):
        """The prompt's text as the model reads it, and its ids."""
        text = prompt["text"]
        if not prompt.get("raw") and self.tokenizer.chat_template:
            text = self.tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True)
        return text, self.tokenizer(text, add_special_tokens=False)["input_ids"]
