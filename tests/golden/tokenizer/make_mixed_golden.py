"""Makes the goldens of tests/server/tokenizer/tokenizer_mixed_test.cc with the `tokenizers` library:

    python make_mixed_golden.py SHARED_TOKENIZERS_FOLDER REAL_MODELS_FOLDER PLANTED_FOLDER [NAME ...]

REAL_MODELS_FOLDER holds smollm2 (SmolLM2-135M-Instruct, Apache-2.0), PLANTED_FOLDER is what steer-planted writes. Without
names it makes all seven tokenizers' files, in about ten minutes.

mixed_tables.json   what the lines are made from, and the SHA-256 of what the generator and its C++ twin write
smollm2.json        SmolLM2's chat template, its tokenizer.json without vocabulary and merges, its alphabet, and
smollm2.merges      its merges as pairs of ids (varints): each merge makes the next id, so that vocabulary and merges follow
<name>.mixed        varints and little-endian words, in this order. "Digests" are two words: crc32 of all ids as words, and of
                    decoded + "\\0" + decoded without special tokens + "\\0" for each text
    the SHA-256 of the tokenizer.json, and the sizes of seven sections:
    1 60,000 lines: digests for each 20
    2 every code point alone: digests for each 1,024, surrogates left out
    3 every code point between a and b: likewise
    4 count of ranges of added ids, first and length of each; for each 32 of the tokens, digests over the six texts of added_forms
    5 10,000 byte strings: for each 50, crc32 over ~0 and the ids, or the offset of the first byte that is not UTF-8
    6 count and ids of some tokens of at most 2 characters; for each 20 of 4,000 id sequences, crc32 of the texts
    7 count of runs; for each, count and crc32 of the ids of 256 KiB of it
"""
import hashlib
import json
import os
import sys
from zlib import crc32

from tokenizers import Tokenizer, __version__

import mixed_text
from make_tokenizer_golden import varint, word

HERE = os.path.dirname(os.path.abspath(__file__))
RUN_BYTES = 1 << 18
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|vision_pad|>", "<tool_call>", "</tool_call>", "<think>", "</think>", "<|fim_prefix|>",
         "<|repo_name|>", "<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>", "<|reserved_special_token_7|>", "<|python_tag|>", "<bos>", "<eos>", "<pad>", "<unk>", "<mask>",
         "<start_of_turn>", "<end_of_turn>", "<unused17>", "[multimodal]", "<table>", "</h3>", "<start_of_image>", "<repo_name>", "<file_sep>", "<gh_stars>", "<jupyter_text>",
         "\n\n\n", "\u2581\u2581\u2581", "\t\t", "<0x41>", "<0xE2>"]


def added_forms(token):
    return [token, token + token, "a" + token + "b", " " + token + " ", token[:-1], token + "\n" + token[1:]]


def runs():
    units = ["a", "Z", "0", " ", "\n", "\t", "!", "\u4e2d", "\u0301", "\u0316\u0301", "\U0001f642", "\u00e9", " \n", "'s", "ab ", "\x00"]
    return [u * (RUN_BYTES // len(u.encode())) for u in units]


def ids_words(ids):
    return b"".join(map(word, ids))


class Golden:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.sections = []
        self.added_ids = sorted(tokenizer.get_added_tokens_decoder())

    def section(self, write, *arguments):
        self.out = bytearray()
        write(*arguments)
        self.sections.append(bytes(self.out))

    def bytes(self, file_digest):
        return file_digest + b"".join(varint(len(s)) for s in self.sections) + b"".join(self.sections)

    def texts_of(self, sequences):
        both = [self.tokenizer.decode_batch(sequences, skip_special_tokens=skip) for skip in (False, True)]
        return "".join(a + "\0" + b + "\0" for a, b in zip(*both)).encode()

    def digests(self, texts):
        ids = [e.ids for e in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        self.out += word(crc32(b"".join(map(ids_words, ids)))) + word(crc32(self.texts_of(ids)))

    def lines(self, lines, block=20):
        for k in range(0, len(lines), block):
            self.digests(lines[k:k + block])

    def code_points(self, before, after):
        for first in range(0, 0x110000, 1024):
            self.digests([before + chr(c) + after for c in range(first, first + 1024) if not 0xD800 <= c <= 0xDFFF])

    def added(self):
        ranges = []
        for i in self.added_ids:
            if ranges and sum(ranges[-1]) == i:
                ranges[-1][1] += 1
            else:
                ranges.append([i, 1])
        self.out += varint(len(ranges)) + b"".join(map(varint, sum(ranges, [])))
        decoder = self.tokenizer.get_added_tokens_decoder()
        tokens = [decoder[i].content for i in self.added_ids]
        self.lines([form for t in tokens for form in added_forms(t)], 32 * 6)

    def byte_strings(self, strings):
        for k in range(0, len(strings), 50):
            data = b""
            for s in strings[k:k + 50]:
                try:
                    data += word(0xFFFFFFFF) + ids_words(self.tokenizer.encode(s.decode(), add_special_tokens=False).ids)
                except UnicodeDecodeError as error:
                    data += word(error.start)
            self.out += word(crc32(data))

    def sequences(self):
        size = max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        token = self.tokenizer.id_to_token
        short = [i for i in range(size) if token(i) is not None and (len(token(i)) <= 2 or token(i).startswith("<0x"))]
        short = short[:: max(1, len(short) // 1500)]
        self.out += varint(len(short)) + b"".join(map(varint, short))
        r = mixed_text.Random(3)
        all_ids = [mixed_text.id_sequence(r, size, short, self.added_ids) for _ in range(mixed_text.SEQUENCES)]
        for k in range(0, len(all_ids), 20):
            self.out += word(crc32(self.texts_of(all_ids[k:k + 20])))

    def runs(self, texts):
        self.out += varint(len(texts))
        for text in texts:
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids
            self.out += varint(len(ids)) + word(crc32(ids_words(ids)))


def write_smollm2(folder):
    with open(os.path.join(folder, "tokenizer.json")) as f:
        file = json.load(f)
    with open(os.path.join(folder, "chat_template.jinja"), newline="") as f:
        template = f.read()
    with open(os.path.join(folder, "tokenizer_config.json")) as f:
        config = json.load(f)
    vocab, merges = file["model"].pop("vocab"), file["model"].pop("merges")
    alphabet = sorted(vocab, key=vocab.get)[: len(vocab) - len(merges)]
    out = bytearray()
    for k, (left, right) in enumerate(merges):
        assert vocab[left + right] == len(alphabet) + k
        out += varint(vocab[left]) + varint(vocab[right])
    with open(os.path.join(HERE, "smollm2.merges"), "wb") as f:
        f.write(out)
    with open(os.path.join(HERE, "smollm2.json"), "w") as f:
        json.dump({"source": "SmolLM2-135M-Instruct, Apache-2.0", "alphabet": alphabet, "frame": file, "chat_template": template,
                   "bos_token": config["bos_token"], "eos_token": config["eos_token"]}, f, separators=(",", ":"))
        f.write("\n")


def write_tables():
    tables = mixed_text.tables(ADDED)
    content = {"library": __version__, "tables": tables, "lines_sha256": mixed_text.digest(mixed_text.all_lines(tables)),
               "byte_strings_sha256": mixed_text.digest(mixed_text.all_byte_strings(tables))}
    with open(os.path.join(HERE, "mixed_tables.json"), "w") as f:
        json.dump(content, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")
    return tables


def main():
    shared, real, planted = sys.argv[1:4]
    files = {name: os.path.join(shared, name, "tokenizer.json") for name in ("qwen2_5", "qwen3", "llama3_2", "gemma3")}
    files.update(smollm2=os.path.join(real, "smollm2", "tokenizer.json"), planted=os.path.join(planted, "tokenizer.json"), gpt2_style=os.path.join(HERE, "gpt2_style.json"))
    names = sys.argv[4:] or list(files)
    tables = write_tables()
    lines, strings = mixed_text.all_lines(tables), mixed_text.all_byte_strings(tables)
    if "smollm2" in names:
        write_smollm2(os.path.dirname(files["smollm2"]))
    for name in names:
        golden = Golden(Tokenizer.from_file(files[name]))
        golden.section(golden.lines, lines)
        golden.section(golden.code_points, "", "")
        golden.section(golden.code_points, "a", "b")
        golden.section(golden.added)
        golden.section(golden.byte_strings, strings)
        golden.section(golden.sequences)
        golden.section(golden.runs, runs())
        with open(files[name], "rb") as f:
            file_digest = hashlib.sha256(f.read()).digest()
        out = golden.bytes(file_digest)
        with open(os.path.join(HERE, name + ".mixed"), "wb") as f:
            f.write(out)
        print(name, len(out))


if __name__ == "__main__":
    main()
