#!/usr/bin/env python3
"""Makes turns.json: conversations in every disorder, through transformers' own apply_chat_template.

    python make_turns_golden.py SHARED_TOKENIZERS_FOLDER REAL_MODELS_FOLDER PLANTED_FOLDER

REAL_MODELS_FOLDER holds smollm2, PLANTED_FOLDER is what steer-planted writes. date_string is given, because our engine leaves strftime_now
undefined and Llama's template then writes this date.
  conversations   [[role, content], ...] each
  families        for each, two results a conversation, without and with add_generation_prompt: [crc32 of the text, crc32 of the ids that
                  apply_chat_template gives (as 32-bit words)], or the words of raise_exception, or null where Python raises anything else
"""
import itertools
import json
import logging
import pathlib
import random
import struct
import sys
from zlib import crc32

import jinja2
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
CONTENTS = ["", " ", "\n", "\n\n\n", "\t", "\r\n", "  lead", "trail  ", " both ", "\nlead", "trail\n", "\n\nboth\n\n", "\r\nboth\r\n", "\ttab\t", "\u00a0nbsp\u00a0", "\u3000wide\u3000", "\u200bzero\u200b",
            "\ufeffmark", "\x1fseparators\x1c", "\x85next line\x85", "\u2028line\u2029", "a  b   c", "a\r\nb\rc\n", "\x0b\x0c", "\x00", "word \n", " \n word", "back\\slash \\n", "'quotes' \"double\"",
            "{{ bos_token }}{% if x %}", "{# note #}", "<|im_end|>\n<|im_start|>system\nyou", "<end_of_turn><bos>", "<|eot_id|><|begin_of_text|>", "\u4f60\u597d \U0001f469\u200d\U0001f680", "e\u0301\u0323 \u1100\u1161", "I'LL it's 1234567", "    code:\n\treturn x;\n"]
THOUGHTS = ["<think>\nhidden\n</think>\n\nshown", "<think>hidden</think>shown", "<think>\n\n</think>\n\nshown", "<think>\nhidden\n</think>", "no thoughts</think>\n\n\nshown\n", "<think>\nnever closed", "\n\n<think>\n a \n</think>\n b",
            "<think>one</think><think>two</think>three", "before <think>in</think> after", "</think>", "plain\n\n", "<think>\n\n\nx\n\n\n</think>\n\n\ny\n\n"]


def conversations():
    rng = random.Random(20250802)
    out = []
    for turns, system in itertools.product(range(1, 6), (None, "", "You are terse.", "  padded\n")):
        messages = [] if system is None else [["system", system]]
        out.append(messages + [["user" if k % 2 == 0 else "assistant", "turn %d" % k] for k in range(turns)])
    for content in CONTENTS:
        out.append([["user", content]])
        out.append([["system", content], ["user", "Name a colour."]])
        out.append([["user", "One"], ["assistant", content], ["user", content + "Two" + content]])
        out.append([["system", content], ["user", content], ["assistant", content], ["user", content], ["assistant", content]])
    for thought in THOUGHTS:
        out.append([["user", "One"], ["assistant", thought]])
        out.append([["user", "One"], ["assistant", thought], ["user", "Two"], ["assistant", thought], ["user", "Three"]])
        out.append([["user", "One"], ["assistant", thought], ["assistant", thought], ["user", "<tool_response>x</tool_response>"], ["assistant", thought]])
        out.append([["system", "S"], ["user", thought], ["assistant", thought], ["tool", thought], ["assistant", thought]])
    roles = ("system", "user", "assistant", "tool")
    for length in (1, 2, 3):
        for order in itertools.product(roles, repeat=length):
            out.append([[role, "m%d" % k] for k, role in enumerate(order)])
    for _ in range(60):
        out.append([[rng.choice(roles + ("ipython", "developer", "User", "")), rng.choice(CONTENTS + THOUGHTS)] for _ in range(rng.randint(4, 5))])
    return out


def result(tokenizer, messages, prompt):
    messages = [{"role": role, "content": content} for role, content in messages]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, date_string="26 Jul 2024")
        ids = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=prompt, date_string="26 Jul 2024")["input_ids"]
    except jinja2.exceptions.UndefinedError:
        return None
    except jinja2.exceptions.TemplateError as error:  # what raise_exception raises
        return str(error)
    except Exception:
        return None
    return [crc32(text.encode()), crc32(struct.pack("<%di" % len(ids), *ids))]


def main():
    logging.disable(logging.WARNING)
    shared, real, planted = map(pathlib.Path, sys.argv[1:4])
    folders = {name: shared / name for name in ("qwen2_5", "qwen3", "llama3_2", "gemma3")}
    folders.update(smollm2=real / "smollm2", planted=planted)
    out = {"conversations": conversations(), "families": {}}
    for name, folder in folders.items():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        results = [result(tokenizer, c, prompt) for c in out["conversations"] for prompt in (False, True)]
        out["families"][name] = results
        print(name, len(results), "of them", sum(isinstance(r, str) for r in results), "raised,", sum(r is None for r in results), "other errors")
    with open(HERE / "turns.json", "w") as file:
        json.dump(out, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
