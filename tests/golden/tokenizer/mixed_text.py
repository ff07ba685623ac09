"""Lines, byte strings and id sequences from a seed, the same in Python and in C++.

tests/server/tokenizer/mixed_text.cc is this file's twin: both draw from one integer generator in one order, over the tables of
mixed_tables.json, so that goldens hold digests of 60,000 lines and no line. A change here is a change there; the goldens pin the SHA-256
of what both write.
"""
import hashlib
import json

import corpus

LINES = 60000
BYTE_STRINGS = 10000
SEQUENCES = 4000


class Random:
    """SplitMix64 (Steele, Lea and Flood 2014)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        mask = (1 << 64) - 1
        self.state = self.state + 0x9E3779B97F4A7C15 & mask
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return ((z ^ z >> 31) >> 32) * limit >> 32

    def pick(self, items):
        return items[self.below(len(items))]


def tables(added_tokens):
    """What the lines are made from. Written to mixed_tables.json, which both twins read."""
    return {
        "blocks": list(corpus.BLOCKS.values()),
        "words": corpus.WORDS + "getHTTPResponse XMLHttpRequest snake_case_name SCREAMING_CASE don't WE'LL o'clock x1 v2.0 3rd 1st".split(),
        "contractions": corpus.CONTRACTIONS,
        "spaces": corpus.SPACES,
        "marks": list(corpus.MARKS),
        "code": corpus.CODE + ["\tif err != nil {\n\t\treturn nil, fmt.Errorf(\"x: %w\", err)\n\t}\n", "fn main() -> Result<(), Box<dyn Error>> { let v: Vec<_> = (0..9).map(|x| x * x).collect(); Ok(()) }",
                               "| a | b |\n|---|---|\n| 1 | 2 |\n", "# Title\n\n* item\n    * nested **bold** _it_\n", "a[i]+=b[i]**2//3%4;\r\n\r\n", "0b1010_1010 1_000_000 0xDEADBEEF 1e-9 .5 5. 1,234.56",
                               "'''doc'''\n@dec\nclass A(B, metaclass=C): pass\n", "&&||!!??::->=>...<<>>===!==", "\u001b[31mred\u001b[0m", "key: >-\n  folded\n  text\nlist: [a, 'b', \"c\"]\n"],
        "emoji": corpus.EMOJI,
        "faces": list("\U0001f600\U0001f923\U0001f44b\U0001f9d1\U0001f469\U0001f468\U0001f467\U0001f680\U0001f33e\u2764\u2695\u2640\u2642\U0001f3f3\U0001f3f4\U0001f308\u270c\u261d\U0001fae9\U0001fabf"),
        "digits": list("0123456789") + ["\u0663", "\u096a", "\uff15", "\u00bd", "\u00b2", "\u2167", "\u3007", "\U0001d7d8", "\U00010d45"],
        "punctuation": list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["\u2019", "\u201c", "\u2026", "\u2014", "\u00bf", "\u3002", "\uff01", "\u00a3", "\u20ac", "\u00b0", "\u2581", "\u0120"],
        "runs": ["a", "A", "z", " ", "\t", "\n", "\r\n", "1", "0", "\u0663", "\u00e9", "\u4e2d", "\u0e01", "\uac00", "!", "-", "=", "_", ".", "\u0301", "\u0323\u0301", "\U0001f642", "\U0001f469\u200d", "\U0001f3fd", "\U0001f1e9", "\u00a0", "\u200b",
                 "\x00", "\ufffd", "ab", " a", "a ", "1 ", ". ", "'s", "\n ", " \n", "\u2581", "<", "</", "<|", "\u0120", "\U00020000", "ha", "\u3042", "\u05d0", "\u0628\u0651"],
        "added": added_tokens,
    }


class MixedText:
    def __init__(self, tables, seed):
        self.t, self.r = tables, Random(seed)

    def from_block(self):
        first, last = self.r.pick(self.t["blocks"])
        while True:
            c = first + self.r.below(last - first + 1)
            if not 0xD800 <= c <= 0xDFFF:
                return chr(c)

    def any_character(self):
        c = self.r.below(0x80 if self.r.below(3) == 0 else 0x110000)
        return chr(c) if not 0xD800 <= c <= 0xDFFF else "\ufffd"

    def scripts(self):
        out = ""
        for _ in range(1 + self.r.below(6)):
            first, last = self.r.pick(self.t["blocks"])
            for _ in range(1 + self.r.below(9)):
                c = first + self.r.below(last - first + 1)
                out += "" if 0xD800 <= c <= 0xDFFF else chr(c)
            out += self.r.pick(["", " ", " ", ", ", "-", "1", "\n"])
        return out

    def words(self):
        out = ""
        for _ in range(1 + self.r.below(16)):
            out += self.r.pick(self.t["words"])
            if self.r.below(4) == 0:
                out += self.r.pick(self.t["contractions"])
            out += " " if self.r.below(3) else self.r.pick(self.t["spaces"])
        return out

    def spaces(self):
        out = ""
        for _ in range(1 + self.r.below(14)):
            out += self.r.pick(self.t["spaces"]) if self.r.below(4) else self.from_block()
        return out

    def numbers(self):
        out = ""
        for _ in range(1 + self.r.below(8)):
            for _ in range(1 + self.r.below(12)):
                out += self.r.pick(self.t["digits"])
            out += self.r.pick(["", " ", ".", ",", "-", "%", "e", "x", "\u00a0"])
        return out

    def marks(self):
        out = ""
        for _ in range(1 + self.r.below(10)):
            out += self.from_block() if self.r.below(2) else self.r.pick(self.t["words"])
            for _ in range(self.r.below(6) if self.r.below(8) else self.r.below(60)):
                out += self.r.pick(self.t["marks"])
        return out

    def emoji(self):
        out = ""
        for _ in range(1 + self.r.below(6)):
            kind = self.r.below(6)
            if kind == 0:
                out += self.r.pick(self.t["emoji"])
            elif kind == 1:  # regional indicators: pairs are flags, an odd one is left over
                for _ in range(1 + self.r.below(6)):
                    out += chr(0x1F1E6 + self.r.below(26))
            elif kind == 2:  # joined, with skin tones and variation selectors
                for k in range(1 + self.r.below(5)):
                    out += ("\u200d" if k else "") + self.r.pick(self.t["faces"])
                    out += self.r.pick(["", "", chr(0x1F3FB + self.r.below(5)), "\ufe0f", "\ufe0e"])
            elif kind == 3:
                out += self.r.pick(self.t["digits"]) + "\ufe0f\u20e3"
            elif kind == 4:  # a tag sequence, at times without its end
                out += "\U0001f3f4"
                for _ in range(1 + self.r.below(6)):
                    out += chr(0xE0061 + self.r.below(26))
                out += self.r.pick(["\U000e007f", ""])
            else:
                out += chr(0x1F300 + self.r.below(0x800))
            out += self.r.pick(["", "", " ", "a", "!"])
        return out

    def code(self):
        text = self.r.pick(self.t["code"])
        for _ in range(self.r.below(3)):
            at = self.r.below(len(text) + 1)
            kind = self.r.below(4)
            piece = self.r.pick(self.t["spaces"]) if kind == 0 else self.r.pick(self.t["words"]) if kind == 1 else self.r.pick(self.t["emoji"]) if kind == 2 else chr(self.r.below(160))
            text = text[:at] + piece + text[at:]
        return text

    def controls(self):
        out = ""
        for _ in range(1 + self.r.below(12)):
            c = self.r.below(65)
            out += chr(c if c < 32 else c + 95) + self.r.pick(["", "", "a", " ", "1", "\n"])
        return out

    def added(self):
        out = self.r.pick(self.t["words"])
        for _ in range(1 + self.r.below(4)):
            out += self.r.pick(["", " ", "  \n", "\u00e9", "'", "\t"])
            token = self.r.pick(self.t["added"])
            if self.r.below(3) == 0:  # broken
                token = token[: self.r.below(len(token) + 1)] + self.r.pick(["", " ", token[-1], "<", "|>"])
            out += token
        return out + self.r.pick(self.t["words"])

    def anything(self):
        return "".join(self.any_character() for _ in range(self.r.below(18)))

    def run(self):
        out = self.r.pick(["", "", "a", " "])
        unit = self.r.pick(self.t["runs"])
        out += unit * (2 + self.r.below(40 if self.r.below(6) else 500))
        return out + self.r.pick(["", "", "a", " b", "\n", "1"])

    def alternating(self):
        units = [self.r.pick(self.t["runs"]) for _ in range(2 + self.r.below(3))]
        out = ""
        for _ in range(2 + self.r.below(40)):
            out += self.r.pick(units) * (1 + self.r.below(4))
        return out

    def punctuation(self):
        out = ""
        for _ in range(1 + self.r.below(30)):
            out += self.r.pick(self.t["punctuation"]) if self.r.below(5) else self.r.pick(["a", " ", "1", "\n", "\u00e9", "\u4e2d"])
        return out

    def line(self):
        kind = self.r.below(16)
        kinds = [self.scripts, self.scripts, self.scripts, self.words, self.words, self.spaces, self.numbers, self.marks, self.emoji,
                 self.emoji, self.code, self.controls, self.added, self.anything, self.run, self.punctuation]
        out = self.alternating() if kind == 14 and self.r.below(2) else kinds[kind]()
        # Some lines are two of them, so that every kind meets every other.
        return out + kinds[self.r.below(14)]() if self.r.below(5) == 0 else out


BROKEN = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",
          b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xc3", b"\xe2\x82", b"\xe2", b"\xf0\x9f\x99", b"\xf0\x9f", b"\xf0", b"\xed\xa0\xbd\xed\xb8\x80"]


def byte_string(text):
    """From a MixedText: in about half of the cases valid UTF-8."""
    r = text.r
    if r.below(8) == 0:
        return bytes(r.below(256) for _ in range(r.below(16)))
    broken = r.below(2)
    out = b""
    for _ in range(1 + r.below(12)):
        kind = r.below(4)
        if kind == 0 and broken:
            out += BROKEN[r.below(len(BROKEN))]
        elif kind == 1:
            out += chr(r.below(128)).encode()
        elif kind == 2:
            out += text.from_block().encode()
        else:
            out += text.any_character().encode()
    if broken and len(out) and r.below(3) == 0:
        at = r.below(len(out))
        out = out[:at] + bytes([r.below(256)]) + out[at + 1:]
    return out


def id_sequence(r, size, short, added):
    """Up to 32 ids: any, those of few bytes (where characters break), added ones, and a few outside the vocabulary."""
    out = []
    for _ in range(r.below(33)):
        kind = r.below(8)
        if kind < 4:
            out.append(r.pick(short))
        elif kind == 4:
            out.append(r.pick(added))
        elif kind == 5 and r.below(20) == 0:
            out.append(size + r.below(5))
        else:
            out.append(r.below(size))
    return out


def all_lines(tables):
    text = MixedText(tables, 1)
    return [text.line() for _ in range(LINES)]


def all_byte_strings(tables):
    text = MixedText(tables, 2)
    return [byte_string(text) for _ in range(BYTE_STRINGS)]


def digest(items):
    """SHA-256 over each item's length (32 bits, little-endian) and bytes."""
    h = hashlib.sha256()
    for item in items:
        data = item.encode() if isinstance(item, str) else item
        h.update(len(data).to_bytes(4, "little") + data)
    return h.hexdigest()


def read_tables(path):
    with open(path) as f:
        return json.load(f)["tables"]
