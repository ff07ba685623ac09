"""Holds our tokenizer against the `tokenizers` library, live, on any tokenizer folder.

    python compare_live.py PROBE FOLDER                 the 60,000 lines and 10,000 byte strings of mixed_text.py: the first five that differ, with ids
    python compare_live.py PROBE FOLDER --text FILE     the lines of a file
    python compare_live.py PROBE FOLDER --time          one megabyte of each class, and prompts of 32 KiB: seconds, and our speed over the library's

PROBE is the program tokenizer_probe of the build folder. Both sides run in one thread; seconds are of its own time. Exit status 1 if anything differs.
"""
import argparse
import os
import struct
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer

import make_mixed_golden
import mixed_text

HERE = os.path.dirname(os.path.abspath(__file__))


def probe(args, mode, texts):
    frames = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    return subprocess.run([args.probe, args.folder, mode], input=frames, stdout=subprocess.PIPE, check=True).stdout


def ours(args, texts):
    out, at = probe(args, "encode", texts), 0
    for _ in texts:
        (count,) = struct.unpack_from("<I", out, at)
        at += 4
        if count == 0xFFFFFFFF:
            yield None, None
            continue
        ids = list(struct.unpack_from("<%di" % count, out, at))
        (size,) = struct.unpack_from("<I", out, at + 4 * count)
        at += 4 * count + 4
        yield ids, out[at:at + size].decode()
        at += size


def theirs(tokenizer, text):
    try:
        ids = tokenizer.encode(text.decode(), add_special_tokens=False).ids
    except UnicodeDecodeError:
        return None, None
    return ids, tokenizer.decode(ids, skip_special_tokens=False)


def compare(args, tokenizer, texts):
    different = 0
    for k, (text, got) in enumerate(zip(texts, ours(args, texts))):
        want = theirs(tokenizer, text)
        if got == want:
            continue
        different += 1
        if different <= 5:
            print("text %d: %r\n  library %s %r\n  ours    %s %r" % ((k, text) + want + got))
    print("%d texts, %d differ" % (len(texts), different))
    return different


def prompts():
    """48 of 32 KiB: prose, code and mixed scripts by turns."""
    text = mixed_text.MixedText(mixed_text.read_tables(os.path.join(HERE, "mixed_tables.json")), 4)
    kinds = [text.words, text.code, text.line]
    out = []
    for k in range(48):
        prompt = ""
        while len(prompt.encode()) < 1 << 15:
            prompt += kinds[k % 3]() + " "
        out.append(prompt)
    return out


def measure(args, tokenizer, name, texts):
    lines = probe(args, "time", [t.encode() for t in texts]).decode().split()
    our_encode, our_ids, our_decode = float(lines[1]), int(lines[2]), float(lines[4])
    best = [1e9, 1e9]
    for _ in range(3):
        start = time.thread_time()
        ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        middle = time.thread_time()
        for each in ids:
            tokenizer.decode(each, skip_special_tokens=False)
        best = [min(best[0], middle - start), min(best[1], time.thread_time() - middle)]
    assert sum(map(len, ids)) == our_ids
    print("%-22s %9d ids, encode %7.3f s (%5.2f M ids/s), %5.2f x the library; decode %7.3f s, %5.2f x"
          % (name, our_ids, our_encode, our_ids / our_encode / 1e6, best[0] / our_encode, our_decode, best[1] / our_decode))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("folder")
    parser.add_argument("--text")
    parser.add_argument("--time", action="store_true")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(os.path.join(args.folder, "tokenizer.json"))
    if args.time:
        measure(args, tokenizer, "48 prompts of 32 KiB", prompts())
        for run in make_mixed_golden.runs():
            measure(args, tokenizer, "1 MiB of %s" % ascii(run[:2]), [run * 4])
        return 0
    if args.text:
        with open(args.text, "rb") as f:
            texts = f.read().splitlines()
    else:
        tables = mixed_text.read_tables(os.path.join(HERE, "mixed_tables.json"))
        texts = [t.encode() for t in mixed_text.all_lines(tables)] + mixed_text.all_byte_strings(tables)
    return 1 if compare(args, tokenizer, texts) else 0


if __name__ == "__main__":
    sys.exit(main())
