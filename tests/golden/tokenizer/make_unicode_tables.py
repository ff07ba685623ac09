"""Writes server/tokenizer/unicode_tables.cc: where the `tokenizers` library's Unicode differs from what PCRE2 and utf8proc carry.

PCRE2 10.42 and this Python's unicodedata carry Unicode 14.0, utf8proc 2.8 carries 15.0 and is asked itself. The library carries three
other versions at once: its regex engine (Oniguruma), its Rust standard library (numbers, lower case) and its normalisation crate. Every
table below is found by asking the library about every code point, never by reading the Unicode database.

    python tests/golden/tokenizer/make_unicode_tables.py server/tokenizer/unicode_tables.cc
"""
import ctypes
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

assert unicodedata.unidata_version == "14.0.0", "needs a Python whose unicodedata is 14.0.0 (3.11)"
POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
ALL = "".join(map(chr, POINTS))
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp".split()


def members(pattern):
    pieces = pre_tokenizers.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(ALL)
    return {ord(c) for text, _ in pieces for c in text}


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def map_each(normalizer):
    """{code point: result} for every code point alone, in one call."""
    pieces = normalizer.normalize_str("\n".join(map(chr, POINTS))).split("\n")
    out, at = {}, 0
    for c in POINTS:
        if c == 10:
            at += 2
            continue
        out[c] = pieces[at]
        at += 1
    assert at == len(pieces)
    return out


def category_changes():
    changes = {}
    for name in CATEGORIES:
        for c in members(r"\p{%s}" % name):
            if unicodedata.category(chr(c)) != name:
                changes[c] = name
    out = []
    for name in CATEGORIES:
        out += [(a, b, name) for a, b in ranges({c for c, n in changes.items() if n == name})]
    return sorted(out)


def numeric_changes(category):
    pieces = pre_tokenizers.Digits(individual_digits=False).pre_tokenize_str("".join(chr(c) + "a" for c in POINTS))
    numeric = {ord(text) for text, _ in pieces if len(text) == 1 and text != "a"}
    # A lone character between two letters is a piece of its own only if it is numeric.
    ours = {c for c in POINTS if category(c)[0] == "N"}
    assert not ours - numeric
    return ranges(numeric - ours)


def lower_changes():
    out = []
    for c, text in map_each(normalizers.Lowercase()).items():
        if c != 0x130 and text != chr(c).lower():
            assert len(text) == 1
            out.append((c, ord(text)))
    return out


UTF8PROC = ctypes.CDLL("libutf8proc.so.2")
FREE = ctypes.CDLL(None).free
FREE.argtypes = [ctypes.c_void_p]
OPTIONS = {"NFC": 2 | 8, "NFD": 2 | 16, "NFKC": 2 | 4 | 8, "NFKD": 2 | 4 | 16}
UTF8PROC.utf8proc_map.restype = ctypes.c_ssize_t
UTF8PROC.utf8proc_map.argtypes = [ctypes.c_char_p, ctypes.c_ssize_t, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int]


def utf8proc(form, text):
    out = ctypes.c_void_p()
    data = text.encode()
    length = UTF8PROC.utf8proc_map(data, len(data), ctypes.byref(out), OPTIONS[form])
    assert length >= 0
    result = ctypes.string_at(out, length).decode()
    FREE(out)
    return result


def inert():
    """Code points that the library's older normalisation data treats as plain characters, and the second halves of pairs that it does
    not compose: at each of them text falls into parts that are normalised alone."""
    found = set()
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        for c, text in map_each(getattr(normalizers, form)()).items():
            if text != utf8proc(form, chr(c)):
                assert text == chr(c), hex(c)
                found.add(c)
                found.update(ord(x) for x in utf8proc("NFD", chr(c))[1:])
    nfd = normalizers.NFD()
    points = [c for c in POINTS if c != 10]

    def disagree(make, candidates):
        texts = [make(chr(c)) for c in candidates]
        got = nfd.normalize_str("\n".join(texts)).split("\n")
        return {c for c, t, g in zip(candidates, texts, got) if g != utf8proc("NFD", t)}

    found |= disagree(lambda c: "a\u0345" + c, points) | disagree(lambda c: "a" + c + "\u0334", points)
    marks = [c for c in points if unicodedata.combining(chr(c)) and c not in found]
    for value in {unicodedata.combining(chr(c)) for c in marks}:
        probe = next(chr(c) for c in marks if unicodedata.combining(chr(c)) == value)
        wrong = disagree(lambda c: "a" + probe + c, marks) | disagree(lambda c: "a" + c + probe, marks)
        assert not wrong, [hex(c) for c in wrong]
    return ranges(found)


def main():
    changes = category_changes()
    of = {c: name for a, b, name in changes for c in range(a, b + 1)}
    category = lambda c: of.get(c) or unicodedata.category(chr(c))
    lines = [
        "// Generated by tests/golden/tokenizer/make_unicode_tables.py from tokenizers %s; do not edit." % tokenizers.__version__,
        "// clang-format off",
        '#include "server/tokenizer/unicode_tables.h"',
        "",
        "namespace steer::tok {",
        "",
    ]

    def table(type_name, name, items):
        lines.append("const %s %s[] = {" % (type_name, name))
        row = "   "
        for item in items:
            if len(row) + len(item) + 2 > 100:
                lines.append(row)
                row = "   "
            row += " " + item + ","
        lines.extend([row, "};", "const size_t %sSize = sizeof(%s) / sizeof(%s[0]);" % (name, name, name), ""])

    pair = lambda a, b: "{0x%X, 0x%X}" % (a, b)
    table("CategoryRange", "kCategoryChanges", ['{0x%X, 0x%X, "%s"}' % item for item in changes])
    table("CodePointRange", "kMoreNumeric", [pair(a, b) for a, b in numeric_changes(category)])
    table("CodePointPair", "kMoreLower", [pair(a, b) for a, b in lower_changes()])
    table("CodePointRange", "kInert", [pair(a, b) for a, b in inert()])
    lines += ["}  // namespace steer::tok", ""]
    with open(sys.argv[1], "w") as out:
        out.write("\n".join(lines))


if __name__ == "__main__":
    main()
