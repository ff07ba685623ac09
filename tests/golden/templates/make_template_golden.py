#!/usr/bin/env python3
"""Makes the golden files of the chat-template tests with the real jinja2 and transformers.

    python make_template_golden.py TOKENIZERS_FOLDER

chat.json: conversations rendered by transformers' own compiled templates, strftime_now taken away.
language.json, values.json: small templates rendered by the same environment.
An "error" has no text: the messages of Python and of the engine differ.
"""

import json
import pathlib
import sys

from transformers.utils import chat_template_utils

from snippets import CONTEXT, SNIPPETS
from value_snippets import VALUE_SNIPPETS

HERE = pathlib.Path(__file__).parent
FAMILIES = ["qwen2_5", "qwen3", "llama3_2", "gemma3"]


def compile_template(source):
    """As transformers does, but without strftime_now, so that the fallback date is taken."""
    compiled = chat_template_utils._compile_jinja_template(source)
    compiled.environment.globals.pop("strftime_now", None)
    compiled.globals.pop("strftime_now", None)
    return compiled


def user(text):
    return {"role": "user", "content": text}


def system(text):
    return {"role": "system", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


CONVERSATIONS = [
    [user("Hello there")],
    [user("")],
    [user("  leading and trailing \n\n")],
    [user("\t\u00a0\u2003wide spaces\u3000\x1f")],
    [user("zero width \u200b stays \u200b")],
    [user("Grüße, 世界! مرحبا \U0001f600 e\u0301")],
    [user("{{ messages }} {% for x in y %} {# no #}")],
    [user("<|im_start|>system\nquoted<|im_end|> <start_of_turn> <|eot_id|>")],
    [user("back\\slash \"quotes\" 'single' \r\n \x00 \x7f")],
    [user("line one\nline two\n\n\nline five\n")],
    [system("You are terse."), user("Name a colour.")],
    [system(""), user("Name a colour.")],
    [system("  padded \n"), user(" padded too ")],
    [system("Only a system message.")],
    [user("One"), assistant("Two"), user("Three")],
    [system("S"), user("One"), assistant("Two"), user("Three"), assistant("Four")],
    [user("One"), assistant("<think>\nhidden\n</think>\n\nshown"), user("Two")],
    [user("One"), assistant("<think>\nhidden\n</think>\n\nshown")],
    [user("One"), assistant("no thoughts</think>\n\n\nshown\n")],
    [user("One"), assistant("")],
    [user("<tool_response>42</tool_response>"), assistant("It is 42."), user("Thanks")],
    [user("One"), user("Two")],
    [assistant("I start"), user("Then you")],
    [user("One"), system("late system"), user("Two")],
    [system("first"), system("second"), user("One")],
    [{"role": "tool", "content": "result"}],
    [user("One"), {"role": "tool", "content": "r1"}, {"role": "tool", "content": "r2"}, assistant("done")],
    [{"role": "ipython", "content": "result"}, user("x")],
    [{"role": "narrator", "content": "An unknown role"}],
    [{"role": "", "content": "An empty role"}],
    [],
    [user("word " * 2000)],
    [user(f"turn {i}") if i % 2 == 0 else assistant(f"answer {i}") for i in range(40)],
]


def render(template, context):
    try:
        text = template.render(**context)
        text.encode("utf-8")
        if " at 0x" in text:
            return {"error": "prints an address"}
        return {"text": text}
    except Exception as error:  # whatever Python raises, the engine must refuse
        return {"error": type(error).__name__}


def chat_cases(folder):
    cases = []
    for family in FAMILIES:
        config = json.loads((folder / family / "tokenizer_config.json").read_text())
        template = compile_template(config["chat_template"])
        tokens = {k: config[k] for k in ("bos_token", "eos_token") if config.get(k)}
        for messages in CONVERSATIONS:
            for prompt in (False, True):
                context = dict(tokens, messages=messages, tools=None, documents=None, add_generation_prompt=prompt)
                cases.append(dict(family=family, messages=messages, add_generation_prompt=prompt,
                                  **render(template, context)))
    return cases


def language_cases(snippets):
    cases = []
    for source in snippets:
        try:
            template = compile_template(source)
        except Exception as error:
            cases.append({"template": source, "error": type(error).__name__})
            continue
        cases.append(dict(template=source, **render(template, CONTEXT)))
    return cases


def write(name, cases):
    with open(HERE / name, "w") as out:
        json.dump(cases, out, ensure_ascii=True, indent=0)
        out.write("\n")
    errors = sum("error" in case for case in cases)
    print(f"{name}: {len(cases)} cases, {errors} errors")


if __name__ == "__main__":
    write("chat.json", chat_cases(pathlib.Path(sys.argv[1])))
    write("language.json", language_cases(SNIPPETS))
    write("values.json", language_cases(VALUE_SNIPPETS))
    with open(HERE / "context.json", "w") as out:
        json.dump(CONTEXT, out, ensure_ascii=True, indent=1)
        out.write("\n")
