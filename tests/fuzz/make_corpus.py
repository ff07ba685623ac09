"""Makes the seeds of the fuzz targets from the repository's own goldens, examples and a few lines here. Nothing in them is harmful.

    cmake --build build/fuzz --target fuzz_seeds fuzz_targets
    python3 tests/fuzz/make_corpus.py build/fuzz SEEDS
    tests/fuzz/keep_corpus.sh build/fuzz SEEDS
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
build, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def write(target, name, data):
    path = out / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# Locks, result logs and direction sets carry digests: the product makes them.
subprocess.run([build / "tests/fuzz/fuzz_seeds", out], check=True)

# --- JSON
for i, text in enumerate(["{}", "[]", "null", '"\\u00e9\\ud83d\\ude00\\n"', '{"a":1,"a":2}', "[1,-0,0.5,1e308,1e309,18446744073709551615,-9223372036854775808]",
                          "[" * 64 + "]" * 64, "[" * 65 + "]" * 65, '{"a":{"b":[true,false,null,{"c":""}]}}', '{"x": 3.0e-5, "y": "\xe9"} ', "[1,]", "\ufeff[]",
                          '"\\ud800"', '["\\u0000"]']):
    write("json", f"{i:02}", text)

# --- safetensors
entry = lambda dtype, shape, a, b: {"dtype": dtype, "shape": shape, "data_offsets": [a, b]}
headers = [{}, {"__metadata__": {"format": "pt"}}, {"a": entry("F32", [2], 0, 8), "b": entry("BF16", [2, 3], 8, 20), "c": entry("U8", [], 20, 21)},
           {"e": entry("F16", [0, 7], 0, 0), "f": entry("F64", [1], 0, 8), "g": entry("I64", [1], 8, 16), "h": entry("BOOL", [3], 16, 19)},
           {"a": entry("I8", [4], 4, 8), "b": entry("I16", [2], 0, 4)}, {"a": entry("I32", [1], 0, 4), "b": entry("U8", [1], 5, 6)},
           {"a": entry("F8_E4M3", [1], 0, 1)}, {"a": entry("F32", [4294967296, 4294967296], 0, 8)}, {"__metadata__": {"a": 1}}]
for i, header in enumerate(headers):
    text = compact(header).encode()
    end = max([t["data_offsets"][1] for k, t in header.items() if k != "__metadata__"], default=0)
    data = bytes((j * 37 + 11) % 256 for j in range(end))
    write("safetensors", f"header-{i}", text + b"\n" + data)
    write("safetensors", f"file-{i}", len(text).to_bytes(8, "little") + text + data)

# --- templates: what language.json renders, several to a file, and its refusals one by one
cases = json.loads((GOLDEN / "templates/language.json").read_text())
good = [c["template"] for c in cases if "text" in c]
for i in range(0, len(good), 24):
    write("chat_template", f"good-{i:04}", "\n".join(good[i:i + 24]))
for i, case in enumerate(c for c in cases if "text" not in c):
    write("chat_template", f"bad-{i:04}", case["template"])
for name, model in {"chatml": "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m['content'] | trim + '<|im_end|>' }}{% endfor %}"
                              "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
                    "raise": "{% if messages[0]['role'] != 'user' %}{{ raise_exception('first') }}{% endif %}{{ bos_token }}",
                    "macro": "{% macro m(x, y=1) %}[{{ x }}{{ y }}]{% endmacro %}{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + loop.index0 %}"
                             "{{ m(m.role, y=ns.n) }}{% endfor %}{{ messages | tojson }}{{ eos_token is defined }}"}.items():
    write("chat_template", name, model)

# --- tokenizers
words = ["a", "b", "c", "d", "e", "h", "t", "x", "r", "o", "f", " ", "\u2581", "\u0120", "th", "the", "re", "fo", "fox", "<0x41>", "<0xE2>", "<0xC3>", "<unk>", "1", "2", ",", "\u00e9"]
vocabulary = {w: i for i, w in enumerate(words)}
added = lambda content, i, **more: dict({"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}, **more)
merges = [["t", "h"], ["th", "e"], ["r", "e"], ["f", "o"], ["fo", "x"]]
split = lambda pattern, behavior, **more: dict({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}, **more)
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
parts = [
    (None, None, None, {}),
    ({"type": "NFC"}, byte_level, byte_level, {}),
    ({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, None,
     {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                       {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}, {"byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True}),
    ({"type": "Lowercase"}, {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, metaspace]}, metaspace, {"ignore_merges": True}),
    ({"type": "Strip", "strip_left": True, "strip_right": True}, split({"Regex": "\\s+(?!\\S)|\\p{L}+|[^\\s]"}, "Isolated"), {"type": "Fuse"}, {}),
    ({"type": "NFKD"}, split({"String": ","}, "MergedWithPrevious"), None, {}),
    ({"type": "Replace", "pattern": {"Regex": "[0-9]{2,}"}, "content": "#"}, split({"Regex": "o"}, "MergedWithNext", invert=True), None, {}),
    ({"type": "NFD"}, split({"Regex": " "}, "Removed"), byte_level, {"unk_token": "<unk>"}),
    ({"type": "ByteLevel"}, split({"String": "e"}, "Contiguous"), byte_level, {}),
    ({"type": "Unknown"}, {"type": "Whitespace"}, {"type": "CTC"}, {"dropout": 0.1}),
]
for i, (normalizer, pre, decoder, options) in enumerate(parts):
    tokens = [added("<|end|>", len(words)), added("fox ", len(words) + 1, lstrip=True, rstrip=True, special=False), added("RED", len(words) + 2, normalized=True, single_word=True)]
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens if i % 2 == 0 else [], "normalizer": normalizer, "pre_tokenizer": pre,
            "post_processor": None, "decoder": decoder,
            "model": dict({"type": "BPE", "vocab": vocabulary, "merges": merges if i % 3 else [" ".join(m) for m in merges]}, **options)}
    write("tokenizer", f"{i:02}", compact(file).encode() + b"\0" + "the fox  RED, caf\u00e9 12 \u4e2d\U0001f600 <|end|>".encode())

# --- text for fixed tokenizers
texts = json.loads((GOLDEN / "tokenizer/corpus.json").read_text())
lines = texts if isinstance(texts, list) else texts.get("lines", [])
for i in range(0, min(len(lines), 2000), 50):
    write("tokenizer_text", f"{i:04}", "".join(str(line) for line in lines[i:i + 50:7])[:80])
write("tokenizer_text", "bytes", bytes(range(256)))
write("tokenizer_text", "special", "a<|end|><|end|b  \n\n\t 'll I'LL 1234567 \u0e01\u0e33 \u0301e\u0301")

# --- configurations
for path in sorted((GOLDEN / "model").glob("*/config.json")):
    config = json.loads(path.read_text())
    write("model_config", path.parent.name, compact(config))
    config["quantization_config"] = {}
    config["layer_types"] = ["full_attention"] * config["num_hidden_layers"]
    write("model_config", path.parent.name + "-odd", compact(config))
base = {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 9, "max_position_embeddings": 16}
for i, more in enumerate([{}, {"rope_scaling": {"type": "linear", "factor": 2.0}}, {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8, "low_freq_factor": 1,
                          "high_freq_factor": 4, "original_max_position_embeddings": 8}}, {"head_dim": 6, "num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True},
                          {"tie_word_embeddings": True, "hidden_act": "gelu"}, {"model_type": "mamba"}, {"hidden_size": 0, "num_attention_heads": 1025}]):
    write("model_config", f"base-{i}", compact(dict(base, **more)))

# --- plans
for path in sorted((ROOT / "deploy/plans").glob("*.yaml")):
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    write("plan", path.stem, text)
small = (ROOT / "tests/fuzz/seeds.cc").read_text().split('R"(')[1].split(')"')[0]
for i, more in enumerate(["", "prompt: {system: \"be \\u00e9 brief\\n\"}\n", "selection: {position: -2, layers: [1, 3]}\nfit: {positions: [-1, -2], keep_states: false}\n",
                          "unknown: 1\n", "name: twice\n", "---\na: b\n", "a: &x [*x]\n", "prompt: &a {system: !!str 5}\nfit: *a\n", "? [a]\n: b\n",
                          "prompt: {system: |\n  two\n  lines\n}\n", "prompt:\n  system: >-\n    folded\n    text\n", "fit: " + "[" * 90]):
    write("plan", f"small-{i:02}", small + more)
write("plan", "json", compact({"version": 1, "name": "x", "seeds": [0, 9007199254740991]}))

# --- prompt files: 'P' + (format | options)
choices = {"csv": 0, "json": 1, "jsonl": 2, "text": 3}
files = [("csv", "a,b\nred fox,x\n\"two, \"\"q\"\"\nlines\",y\n"), ("csv", "\ufeffa,b\r\n one ,x\r\n,\r\n"), ("csv", "a,a\n1,2\n"), ("csv", "a,b\n1\n"), ("csv", "a,b\n\"x\"y,1\n"),
         ("json", '[{"a":"red fox","b":"x"},{"a":" ","b":1},{"a":"longer than twelve","b":true}]'), ("json", '["one","two"]'), ("json", '{"a":[]}'),
         ("jsonl", '{"a":"red","b":"x"}\n\n{"a":"blue","b":"y"}\r\n'), ("jsonl", '"one"\n"two\\u0000"\n'), ("text", "one\n\n two \r\nthree"), ("text", "caf\u00e9 \u3000\u00a0\n\x0b\n")]
for i, (form, text) in enumerate(files):
    for option in (0, 4 | 8 | 16, 4 | 8 | 32):
        write("prompts", f"{i:02}-{option}", bytes([64 + choices[form] + option]) + text.encode())

# --- requests: a letter for the message, then protoc's binary form
uuid, set_id = "123e4567-e89b-42d3-a456-426614174000", "a" * 64
ref = f'set_id: "{set_id}" position: -1 layer: 1'
control = ref + " control { family: CONTROL_FAMILY_ISOTROPIC seed: 7 draw: 1 }"
ablate = f"ops {{ ablate {{ directions {{ {ref} }} }} sites {{ all: true }} target: EDIT_TARGET_WRITE }}"
add = f"ops {{ add {{ direction {{ {control} }} coefficient: 1 }} sites {{ layer_inputs: 1 }} tokens: TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED last_prompt_tokens: 2 }}"
project = f"ops {{ set_projection {{ direction {{ {ref} }} value: -3 }} sites {{ sites: 0 sites: 4 }} }}"
head = f'request_id: "{uuid}" expected_model_fingerprint: "m" '
prompts = lambda field, n: " ".join(f'{field} {{ user: "prompt {i}" }}' for i in range(n))
arms = f'arms {{ name: "baseline" prompts: 0 prompts: 1 }} arms {{ name: "ablate/x" prompts: 1 intervention {{ {ablate} {add} }} }} '
requests = [
    ("A", "EvaluateRequest", head + "purpose: PURPOSE_TEST " + prompts("prompts", 2) + arms + 'decoding { max_new_tokens: 8 } readout: "post-1"'),
    ("A", "EvaluateRequest", head + "purpose: PURPOSE_SELECT " + prompts("prompts", 3) + arms + 'decoding { max_new_tokens: 64 repetition_penalty: 1.5 } readout: "opening-1" '
     f'scores: true refusal_token_ids: 5 held {{ arm: 0 prompt: 1 }} plan_digest: "{set_id}"'),
    ("A", "EvaluateRequest", ""),
    ("B", "GenerateRequest", head + f'prompt {{ user: "hello" system: "s" }} intervention {{ {project} {ablate} }} decoding {{ max_new_tokens: 3 temperature: 1 top_p: 0.5 seed: 4 }}'),
    ("B", "GenerateRequest", head + "decoding { top_p: 0.5 temperature: 11 }"),
    ("C", "FitDirectionRequest", head + prompts("harmful", 2) + " " + prompts("harmless", 3) + " positions: -1 positions: -2"),
    ("C", "FitDirectionRequest", prompts("harmful", 1) + " positions: 0 positions: 0"),
    ("D", "TokenizeRequest", prompts("prompts", 2) + " pieces: true"),
    ("E", "GetDirectionRequest", f'set_id: "{set_id}" direction {{ {control} }}'),
    ("F", "ListDirectionsRequest", "page_size: 50"),
    ("G", "DeleteDirectionRequest", f'set_id: "{set_id}"'),
    ("H", "ExportDirectionRequest", f'set_id: "{set_id}" direction {{ position: -1 layer: 0 }}'),
    ("I", "ImportDirectionRequest", f'chunk: "abc" sha256: "{set_id}"'),
    ("J", "GetModelRequest", ""),
]
for i, (letter, message, text) in enumerate(requests):
    binary = subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--encode=steer.v1.{message}", "steer/v1/steer_service.proto"],
                            input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    write("rpc_request", f"{i:02}-{message}", letter.encode() + binary)
