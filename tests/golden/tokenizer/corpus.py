"""The lines that the tokenizer's golden ids are made from: many scripts, and the places where tokenizers go wrong."""
import random
import unicodedata

BLOCKS = {
    "latin": (0x41, 0x24F), "greek": (0x370, 0x3FF), "cyrillic": (0x400, 0x52F), "armenian": (0x531, 0x58F), "hebrew": (0x591, 0x5F4),
    "arabic": (0x600, 0x6FF), "syriac": (0x700, 0x74F), "thaana": (0x780, 0x7B1), "nko": (0x7C0, 0x7FF), "devanagari": (0x900, 0x97F),
    "bengali": (0x980, 0x9FE), "gurmukhi": (0xA01, 0xA76), "gujarati": (0xA81, 0xAFF), "tamil": (0xB82, 0xBFA), "telugu": (0xC00, 0xC7F),
    "kannada": (0xC80, 0xCF3), "malayalam": (0xD00, 0xD7F), "sinhala": (0xD81, 0xDF4), "thai": (0xE01, 0xE5B), "lao": (0xE81, 0xEDF),
    "tibetan": (0xF00, 0xFDA), "myanmar": (0x1000, 0x109F), "georgian": (0x10A0, 0x10FF), "jamo": (0x1100, 0x11FF),
    "ethiopic": (0x1200, 0x139F), "cherokee": (0x13A0, 0x13FD), "khmer": (0x1780, 0x17F9), "mongolian": (0x1800, 0x18AA),
    "balinese": (0x1B00, 0x1B7F), "greek_extended": (0x1F00, 0x1FFE), "punctuation": (0x2000, 0x206F), "super_sub": (0x2070, 0x209C),
    "letterlike": (0x2100, 0x218B), "arrows_maths": (0x2190, 0x22FF), "technical": (0x2300, 0x2429), "enclosed": (0x2460, 0x24FF),
    "dingbats": (0x2600, 0x27BF), "braille": (0x2800, 0x28FF), "cjk_symbols": (0x3000, 0x303F), "hiragana": (0x3041, 0x309F),
    "katakana": (0x30A0, 0x30FF), "bopomofo": (0x3105, 0x312F), "cjk": (0x4E00, 0x9FFF), "yi": (0xA000, 0xA48C), "vai": (0xA500, 0xA62B),
    "hangul": (0xAC00, 0xD7A3), "compat_ideographs": (0xF900, 0xFAD9), "presentation": (0xFB00, 0xFDFF), "half_full": (0xFF01, 0xFFEE),
    "private": (0xE000, 0xE0FF), "linear_b": (0x10000, 0x100FA), "gothic": (0x10330, 0x1034A), "deseret": (0x10400, 0x1044F),
    "garay": (0x10D40, 0x10D8F), "dives_akuru": (0x11900, 0x11959), "kawi": (0x11F00, 0x11F59), "cuneiform": (0x12000, 0x12399),
    "hieroglyphs": (0x13000, 0x13455), "music": (0x1D100, 0x1D1E8), "maths_letters": (0x1D400, 0x1D7FF), "emoji": (0x1F300, 0x1FAFF),
    "cjk_b": (0x20000, 0x2A6DF), "cjk_h": (0x31350, 0x323AF), "tags": (0xE0000, 0xE01EF), "noncharacters": (0xFFFE, 0x1000F),
}
WORDS = ("the quick brown fox jumps over lazy dog straße naïve café fjord smörgåsbord garden kettle lantern harbour window "
         "Zürich Ångström año être coöperate façade résumé jalapeño übermut łódź İstanbul ΣΊΣΥΦΟΣ москва привет 世界 你好 日本語 "
         "안녕하세요 สวัสดี नमस्ते مرحبا שלום Γειά ಕನ್ನಡ தமிழ் ქართული").split()
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'lL", "'D", "'\u017f", "\u2019s", "'x", "'", "''s"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\u00a0", "\u3000", "\u2009", "\u2028", "\x0b", "\x0c", "\x85", "\x1c",
          "\u180e", "\u200b", "\ufeff", "\u1680", "\t\t", "    ", "  \n\n  "]
MARKS = "\u0300\u0301\u0308\u0323\u0327\u0331\u0345\u05b0\u05bc\u064b\u0651\u093c\u0334\u20dd\u3099\u0898\u1ac5\U0001e130\u0c3c"
CODE = ["def f(x: int) -> list[str]:\n    return [str(i) for i in range(x)]  # done", "for (int i = 0; i < n; ++i) { a[i] += b[i] * 2.5e-3f; }",
        "SELECT id, name FROM users WHERE age >= 18 AND name LIKE '%ann%';", "<div class=\"a b\" id='x'>&nbsp;&lt;</div>",
        "{\"key\": [1, 2.0, -3e10, null, true], \"nested\": {\"a\": \"b\\n\"}}", "x = y ?? z?.w ?: 0x1F & ~mask | (1 << 31);",
        "$ git commit -m \"it's done\" && echo $?\r\n", "\\begin{equation} \\frac{a}{b} \\end{equation}", "if(a!=b&&c==d||!e){return;}",
        "https://example.org/a/b?c=d&e=%20f#g", "user.name+tag@example.org", "C:\\Temp\\file_name-1.2.3.txt", "#include <vector>\n\n\nint main(){}\n"]
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "1️⃣", "❤️‍🔥", "🧑🏿‍🚀", "☺️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫩", "🪿🪼"]


def lines(added_tokens):
    """About 2,400 strings. `added_tokens` are put into text, whole and broken."""
    rng = random.Random(20240731)
    out = ["", " ", "  ", "\n", "a", "é", "e\u0301", "\u1e9b\u0323", "\ud7a3\u11a8", "\u1100\u1161\u11a8", "\U00011935\U00011930", "\u0041\u030a\u212b"]
    for first, last in BLOCKS.values():
        points = [c for c in range(first, last + 1) if not 0xD800 <= c <= 0xDFFF]
        for k in range(14):
            text = ""
            for _ in range(rng.randint(1, 7)):
                text += "".join(chr(rng.choice(points)) for _ in range(rng.randint(1, 8))) + rng.choice(["", " ", " ", ", ", "-", "1"])
            out.append(text)
        out.append("".join(map(chr, points[:: max(1, len(points) // 40)])))
    for _ in range(250):
        out.append("".join(rng.choice(WORDS) + rng.choice(CONTRACTIONS + [""] * 12) + rng.choice([" "] * 6 + SPACES + list(",.;:!?()")) for _ in range(rng.randint(2, 14))))
    for _ in range(150):
        out.append("".join(rng.choice(SPACES + ["a", "B", "1", ".", "…", "é"]) for _ in range(rng.randint(1, 16))))
    for _ in range(120):
        out.append("".join(rng.choice(["%d", "%05d", "%.3f", "-%d", "%d,000", "1e%d", "0x%x", "%d%%", "٣%d", "½%d", "%d²"]) % rng.randint(0, 10 ** rng.randint(1, 9)) + rng.choice(["", " ", "."]) for _ in range(rng.randint(1, 8))))
    for _ in range(120):
        out.append("".join(rng.choice("aeiouüñкが한") + "".join(rng.choice(MARKS) for _ in range(rng.randint(0, 5))) + rng.choice(["", " "]) for _ in range(rng.randint(1, 10))))
    for _ in range(80):
        out.append("".join(rng.choice(EMOJI + [" ", "a", "\u200d", "\ufe0f"]) for _ in range(rng.randint(1, 10))))
    for _ in range(120):
        text = rng.choice(CODE)
        if rng.random() < 0.7:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(SPACES + EMOJI + WORDS + ["\x00", "\x07", "\x1b[0m", "\x7f", "\x9f"]) + text[at:]
        out.append(text)
    for _ in range(80):
        out.append("".join(chr(rng.choice(list(range(32)) + list(range(127, 161)))) + rng.choice(["", "a", " ", "1"]) for _ in range(rng.randint(1, 12))))
    for _ in range(260):
        token = rng.choice(added_tokens)
        if rng.random() < 0.3:
            token = token[: rng.randint(1, len(token))] + rng.choice(["", " ", token[-1]])
        out.append(rng.choice(["", " ", "a", "  \n", "é", "'"]).join([rng.choice(WORDS), token, rng.choice(added_tokens), rng.choice(WORDS)]))
    for _ in range(160):
        out.append("".join(chr(rng.choice([rng.randrange(0x80), rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(rng.randint(1, 14))))
    for c in ("a", " ", "\n", "1", "é", "中", "!", "\u0301", "🙂", "\t", "-", "Ġ"):
        out.append(c * rng.randint(60, 300))
    return out


def code_point_text(first):
    """A text that shows each of 1,024 code points to every class of the patterns."""
    out = ""
    for c in range(first, first + 1024):
        if not 0xD800 <= c <= 0xDFFF:
            s = chr(c)
            out += "a'%sa %s1%s\n" % (s, s, s)
    return out
