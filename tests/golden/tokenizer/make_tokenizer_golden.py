"""Makes the tokenizer's golden files with the `tokenizers` library:

    python make_tokenizer_golden.py SHARED_TOKENIZERS_FOLDER [ids] [variants] [unicode]

Without a list of parts it makes all, in about ten minutes:

corpus.json      the lines
<name>.ids       for each big tokenizer, varints and little-endian words, in this order:
                 per line: count, ids, crc32(decoded), crc32(decoded without special tokens)
                 count of random id sequences, and the same for each
                 1,088 x crc32(ids of code_point_text(1024 * k)), for those in BY_CODE_POINT
gpt2_style.json  a small trained tokenizer (Digits and GPT-2's ByteLevel), which gpt2_style.ids belongs to
variants.json    small tokenizers, one for each kind of node, with ids and texts
unicode.json     classes and normal forms of every code point
"""
import copy
import itertools
import json
import os
import random
import struct
import sys
from zlib import crc32

from tokenizers import Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers, trainers

import corpus
import make_unicode_tables as unicode_tables

HERE = os.path.dirname(os.path.abspath(__file__))
BIG = ["qwen2_5", "qwen3", "llama3_2", "gemma3"]
BY_CODE_POINT = ["qwen2_5", "llama3_2", "gpt2_style"]


def varint(n):
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def word(n):
    return struct.pack("<I", n)


def pack_ids(tokenizer, ids):
    out = varint(len(ids)) + b"".join(map(varint, ids))
    for skip in (False, True):
        out += word(crc32(tokenizer.decode(ids, skip_special_tokens=skip).encode()))
    return out


def ids_of(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def golden_ids(name, tokenizer, lines):
    rng = random.Random(7)
    out = bytearray()
    for line in lines:
        out += pack_ids(tokenizer, ids_of(tokenizer, line))
    size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    added = sorted(tokenizer.get_added_tokens_decoder())
    # Byte tokens and rare ones are where decoding breaks characters.
    short = [i for i in range(size) if tokenizer.id_to_token(i) and (len(tokenizer.id_to_token(i)) <= 2 or tokenizer.id_to_token(i).startswith("<0x"))]
    sequences = []
    for k in range(400):
        pools = [range(size)] + [short] * (k % 3) + ([added] if k % 5 == 0 else [])
        sequences.append([rng.choice(rng.choice(pools)) for _ in range(rng.randint(0, 24))] + ([size + 3] if k % 17 == 0 else []))
    out += varint(len(sequences))
    for ids in sequences:
        out += pack_ids(tokenizer, ids)
    if name in BY_CODE_POINT:
        for first in range(0, 0x110000, 1024):
            out += word(crc32(b"".join(map(word, ids_of(tokenizer, corpus.code_point_text(first))))))
    with open(os.path.join(HERE, name + ".ids"), "wb") as f:
        f.write(out)


def train_gpt2_style(lines):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=700, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    return tokenizer


def train_characters(lines):
    """Characters, the 256 byte tokens and an unknown one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    specials = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=620, limit_alphabet=120, special_tokens=specials))
    out = json.loads(tokenizer.to_str())
    out["added_tokens"] = out["added_tokens"][:3]
    out["normalizer"] = None
    return out


def variants(byte_level, characters):
    out = []

    def add(name, base, top=(), **model):
        node = copy.deepcopy(base)
        node.update(dict(top))
        node["model"].update(model)
        out.append((name, node))

    def added(base, *tokens):
        vocab, out = base["model"]["vocab"], list(base["added_tokens"])
        new = itertools.count(len(vocab))
        for token in tokens:
            fields = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
            out.append(dict(fields, id=vocab[token["content"]] if token["content"] in vocab else next(new), **token))
        return {"added_tokens": out}

    regex = lambda r: {"Regex": r}
    split = lambda p, b="Isolated", i=False: {"type": "Split", "pattern": p, "behavior": b, "invert": i}
    bl = lambda **k: dict({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}, **k)
    seq = lambda *p: {"type": "Sequence", "pretokenizers": list(p)}
    chain = lambda key, *p: {"type": "Sequence", key: list(p)}
    for behavior in ("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"):
        for invert in (False, True):
            for kind, pattern in (("regex", regex(r"[\s,]")), ("string", {"String": " "}), ("empty", regex(r"\d*"))):
                add("split_%s_%s_%s" % (behavior, invert, kind), byte_level, {"pre_tokenizer": seq(split(pattern, behavior, invert), bl())})
    for name, r in (("o200k", r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
                    ("lines", r"^.*$"), ("not_letter", r"\P{L}+|\p{^N}"), ("escapes", r"\x{e9}|\x41|\u0301|[\t\v\f-]|\S\s|[a-c\-x]+?|(?<=a)b|(?<!a)c|(?>o+)"),
                    ("lazy", r"a{1,2}?|[^a]{,3}|b{2,}")):
        add("pattern_" + name, byte_level, {"pre_tokenizer": seq(split(regex(r)), bl())})
    for individual in (False, True):
        add("digits_%s" % individual, byte_level, {"pre_tokenizer": seq({"type": "Digits", "individual_digits": individual}, bl())})
    add("prefix_space", byte_level, {"pre_tokenizer": bl(add_prefix_space=True, use_regex=True)})
    add("ignore_merges", byte_level, {"pre_tokenizer": bl(use_regex=True)}, ignore_merges=True)
    add("strings", byte_level, {}, merges=["#version: 0.2"] + [" ".join(m) for m in byte_level["model"]["merges"]], continuing_subword_prefix="", end_of_word_suffix="")
    add("repeated_merges", byte_level, {}, merges=byte_level["model"]["merges"] + byte_level["model"]["merges"][:40])
    add("byte_normalizer", byte_level, {"normalizer": {"type": "ByteLevel"}, "pre_tokenizer": None})
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        add(form, byte_level, {"normalizer": {"type": form}})
    for left in (False, True):
        add("strip_%s" % left, byte_level, {"normalizer": chain("normalizers", {"type": "Strip", "strip_left": left, "strip_right": not left}, {"type": "Prepend", "prepend": "_"})})
    add("strip_both", byte_level, {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}})
    add("replace_regex", byte_level, {"normalizer": {"type": "Replace", "pattern": regex(r"\s+|[aeiou]{2}"), "content": "$1_"}})
    add("no_decoder", byte_level, {"decoder": None})
    tokens = [dict(content="<l>", lstrip=True), dict(content="<r>", rstrip=True), dict(content="<lr>", lstrip=True, rstrip=True, special=True),
              dict(content="ox", single_word=True), dict(content="été", single_word=True, rstrip=True), dict(content="<|im"), dict(content="<|im_start|>x"),
              dict(content="Fox Den", normalized=True), dict(content="LAZY", normalized=True, special=True), dict(content="\n\n"), dict(content="  ")]
    add("added", byte_level, added(byte_level, *tokens))
    add("added_lower", byte_level, dict(added(byte_level, *tokens), normalizer={"type": "Lowercase"}))
    space = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    back = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
    llama2 = {"normalizer": chain("normalizers", {"type": "Prepend", "prepend": "\u2581"}, space), "pre_tokenizer": None,
              "decoder": chain("decoders", back, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})}
    for fallback in (False, True):
        for fuse in (False, True):
            add("characters_%s_%s" % (fallback, fuse), characters, llama2, byte_fallback=fallback, fuse_unk=fuse)
    add("no_unknown", characters, llama2, unk_token=None)
    vocab = {t: i for t, i in characters["model"]["vocab"].items() if t != "<0xF0>"}
    vocab["\u2581zzz"] = characters["model"]["vocab"]["<0xF0>"]
    add("partial_fallback", characters, llama2, byte_fallback=True, vocab=vocab)
    add("added_characters", characters, dict(llama2, **added(characters, *tokens)), byte_fallback=True)
    for scheme in ("always", "first", "never"):
        for s in (False, True):
            node = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": s}
            add("metaspace_%s_%s" % (scheme, s), characters, {"pre_tokenizer": node, "decoder": node}, byte_fallback=True)
    add("fuse_replace", characters, dict(llama2, decoder=chain("decoders", {"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "aba"}, "content": "\u2581\u2581"}, back)), byte_fallback=True)
    # A ByteLevel behind a Fuse: one character that is not of the alphabet, from whatever stage, and all of the text stays as it is.
    fuse = {"type": "Fuse"}
    add("fuse_level", byte_level, {"decoder": chain("decoders", fuse, bl())})
    add("fuse_level_token", byte_level, dict(added(byte_level, dict(content="x"), dict(content="a b")), decoder=chain("decoders", fuse, bl())))
    add("fuse_level_replace", byte_level, {"decoder": chain("decoders", {"type": "Replace", "pattern": {"String": "n"}, "content": " "}, fuse, bl())})
    add("fuse_level_bytes", byte_level, dict(added(byte_level, dict(content="<0xC4>"), dict(content="<0xA0>"), dict(content="<0x20>")), decoder=chain("decoders", {"type": "ByteFallback"}, fuse, bl())))
    add("fuse_level_metaspace", byte_level, {"decoder": chain("decoders", {"type": "Metaspace", "replacement": "n", "prepend_scheme": "always", "split": True}, fuse, bl())})
    add("fuse_level_twice", byte_level, {"decoder": chain("decoders", bl(), fuse, bl())})
    add("byte_fallback_byte_level", byte_level, {"decoder": chain("decoders", {"type": "ByteFallback"}, {"type": "Fuse"}, back, bl())})
    return out


def golden_variants(lines, byte_level, characters):
    rng = random.Random(3)
    texts = ["", " ", "abababa aba", "The lazy fox Den, LAZY ox oxen <l> a  <l>b <r>  c <lr> d\n\n\n e", "été étés <|im_start|>x<|im_start|> <|im_s", "fox den Fox Den",
             "12345 ½ 1,000,000 ٣٤", "a\u0301\u0323 \ufb01 \u2460 ÅÄÖ İSTANBUL", "  lead and trail \t ", "\u2581x \u2581", "<s>hi</s> <s>", "<0x41><0xE2>", "ABCdefGHI'S it's XML2"] + rng.sample(lines, 45)
    out = []
    for name, node in variants(byte_level, characters):
        tokenizer = Tokenizer.from_str(json.dumps(node))
        size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        special = sorted(tokenizer.get_added_tokens_decoder())
        bytes_ids = [i for i in range(size) if (tokenizer.id_to_token(i) or "").startswith("<0x")] or special
        all_ids = [ids_of(tokenizer, t) for t in texts]
        for _ in range(25):
            all_ids.append([rng.choice([rng.randrange(size), rng.randrange(size), rng.choice(special), rng.choice(bytes_ids)]) for _ in range(rng.randint(1, 12))])
        decoded = [crc32(tokenizer.decode(ids, skip_special_tokens=skip).encode()) for ids in all_ids for skip in (False, True)]
        # Only what differs from the two bases is stored.
        base = byte_level if node["model"]["vocab"].get("<unk>") is None else characters
        change = {k: v for k, v in node.items() if k != "model" and v != base[k]}
        model = {k: v for k, v in node["model"].items() if v != base["model"].get(k, "absent")}
        out.append({"name": name, "base": "byte_level" if base is byte_level else "characters", "top": change, "model": model, "ids": all_ids, "decoded": decoded})
    write("variants.json", {"texts": texts, "byte_level": byte_level, "characters": characters, "variants": out})


def golden_unicode():
    t = unicode_tables
    classes = {r: t.ranges(t.members(r)) for r in [r"\p{%s}" % c for c in "L Lu Ll Lt Lm Lo M Mc N Nd Nl No P Pd Po S Sm So Z".split()] + [r"\s"]}
    classes["numeric"] = t.ranges({ord(x) for x, _ in pre_tokenizers.Digits(individual_digits=False).pre_tokenize_str("".join(chr(c) + "a" for c in t.POINTS)) if len(x) == 1 and x != "a"})
    pieces = pre_tokenizers.Whitespace().pre_tokenize_str(" ".join("!" + chr(c) for c in t.POINTS))
    classes["word"] = t.ranges({ord(x) for x, _ in pieces if len(x) == 1 and x != "!"})
    forms = {}
    for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        normalizer = getattr(normalizers, name)()
        forms[name] = []
        for first in range(0, 0x110000, 1024):
            # Marks of classes 230, 1 and 220 around each code point twice: order, decomposition and composition at once.
            text = "".join("a\u0301%s\u0334e%s\u0316\u0301 %s\u0345%s|" % ((chr(c),) * 4) for c in range(first, first + 1024) if not 0xD800 <= c <= 0xDFFF)
            forms[name].append(crc32(normalizer.normalize_str(text).encode()))
    write("unicode.json", {"classes": classes, "forms": forms})


def write(name, value):
    with open(os.path.join(HERE, name), "w") as f:
        json.dump(value, f, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
        f.write("\n")


def main():
    shared = sys.argv[1]
    big = {name: Tokenizer.from_file(os.path.join(shared, name, "tokenizer.json")) for name in BIG}
    added = sorted({t.content for name in ("qwen2_5", "qwen3", "llama3_2") for t in big[name].get_added_tokens_decoder().values() if "reserved" not in t.content})
    lines = corpus.lines(added)
    assert len(lines) >= 2000
    write("corpus.json", {"library": __version__, "lines": lines})
    gpt2 = train_gpt2_style(lines)
    with open(os.path.join(HERE, "gpt2_style.json"), "w") as f:
        f.write(gpt2.to_str() + "\n")
    parts = sys.argv[2:] or ["ids", "variants", "unicode"]
    if "ids" in parts:
        for name, tokenizer in list(big.items()) + [("gpt2_style", gpt2)]:
            golden_ids(name, tokenizer, lines)
    small = train_gpt2_style(lines[-900:-700])
    byte_level = json.loads(small.to_str())
    characters = train_characters([l for l in lines if l.isascii()] + corpus.WORDS)
    if "variants" in parts:
        golden_variants(lines, byte_level, characters)
    if "unicode" in parts:
        golden_unicode()


if __name__ == "__main__":
    main()
