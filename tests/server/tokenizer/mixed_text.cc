#include "tests/server/tokenizer/mixed_text.h"

#include "common/utf8.h"

namespace steer {
namespace {

std::string Utf8(uint64_t code_point) {
  std::string out;
  AppendUtf8(static_cast<uint32_t>(code_point), &out);
  return out;
}

bool IsSurrogate(uint64_t c) { return c >= 0xD800 && c <= 0xDFFF; }

std::string Times(const std::string& unit, uint64_t count) {
  std::string out;
  for (; count > 0; --count) out += unit;
  return out;
}

// What no valid text holds: stray, overlong, surrogate, too large and unfinished.
const std::string kBroken[] = {"\x80",
                               "\xbf",
                               std::string("\xc0\x80"),
                               "\xc1\xbf",
                               "\xe0\x80\x80",
                               "\xe0\x9f\xbf",
                               "\xed\xa0\x80",
                               "\xed\xbf\xbf",
                               "\xf0\x80\x80\x80",
                               "\xf0\x8f\xbf\xbf",
                               "\xf4\x90\x80\x80",
                               "\xf5\x80\x80\x80",
                               "\xf8\x88\x80\x80\x80",
                               "\xfe",
                               "\xff",
                               "\xc3",
                               "\xe2\x82",
                               "\xe2",
                               "\xf0\x9f\x99",
                               "\xf0\x9f",
                               "\xf0",
                               "\xed\xa0\xbd\xed\xb8\x80"};

}  // namespace

uint64_t SplitMix::Below(uint64_t limit) {
  state_ += 0x9E3779B97F4A7C15u;
  uint64_t z = state_;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return ((z ^ z >> 31) >> 32) * limit >> 32;
}

MixedTables::MixedTables(const Json& json) {
  for (const Json& block : json["blocks"]) blocks.emplace_back(block[0], block[1]);
  for (auto [name, list] : {std::make_pair("words", &words),
                            {"contractions", &contractions},
                            {"spaces", &spaces},
                            {"marks", &marks},
                            {"code", &code},
                            {"emoji", &emoji},
                            {"faces", &faces},
                            {"digits", &digits},
                            {"punctuation", &punctuation},
                            {"runs", &runs},
                            {"added", &added}}) {
    *list = json[name].get<std::vector<std::string>>();
  }
}

std::string MixedText::PickOf(std::initializer_list<std::string> items) {
  return items.begin()[r_.Below(items.size())];
}

std::string MixedText::FromBlock() {
  const auto [first, last] = r_.Pick(t_.blocks);
  for (;;) {
    uint64_t c = first + r_.Below(last - first + 1);
    if (!IsSurrogate(c)) return Utf8(c);
  }
}

std::string MixedText::AnyCharacter() {
  uint64_t c = r_.Below(r_.Below(3) == 0 ? 0x80 : 0x110000);
  return Utf8(IsSurrogate(c) ? 0xFFFD : c);
}

std::string MixedText::Scripts() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(6); n > 0; --n) {
    const auto [first, last] = r_.Pick(t_.blocks);
    for (uint64_t k = 1 + r_.Below(9); k > 0; --k) {
      uint64_t c = first + r_.Below(last - first + 1);
      if (!IsSurrogate(c)) out += Utf8(c);
    }
    out += PickOf({"", " ", " ", ", ", "-", "1", "\n"});
  }
  return out;
}

std::string MixedText::Words() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(16); n > 0; --n) {
    out += r_.Pick(t_.words);
    if (r_.Below(4) == 0) out += r_.Pick(t_.contractions);
    out += r_.Below(3) != 0 ? " " : r_.Pick(t_.spaces);
  }
  return out;
}

std::string MixedText::Spaces() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(14); n > 0; --n)
    out += r_.Below(4) != 0 ? r_.Pick(t_.spaces) : FromBlock();
  return out;
}

std::string MixedText::Numbers() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(8); n > 0; --n) {
    for (uint64_t k = 1 + r_.Below(12); k > 0; --k) out += r_.Pick(t_.digits);
    out += PickOf({"", " ", ".", ",", "-", "%", "e", "x", "\u00a0"});
  }
  return out;
}

std::string MixedText::Marks() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(10); n > 0; --n) {
    out += r_.Below(2) != 0 ? FromBlock() : r_.Pick(t_.words);
    for (uint64_t k = r_.Below(8) != 0 ? r_.Below(6) : r_.Below(60); k > 0; --k)
      out += r_.Pick(t_.marks);
  }
  return out;
}

std::string MixedText::Emoji() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(6); n > 0; --n) {
    switch (r_.Below(6)) {
      case 0:
        out += r_.Pick(t_.emoji);
        break;
      case 1:  // regional indicators: pairs are flags, an odd one is left over
        for (uint64_t k = 1 + r_.Below(6); k > 0; --k) out += Utf8(0x1F1E6 + r_.Below(26));
        break;
      case 2:  // joined, with skin tones and variation selectors
        for (uint64_t k = 0, count = 1 + r_.Below(5); k < count; ++k) {
          if (k > 0) out += "\u200d";
          out += r_.Pick(t_.faces);
          const std::string tone = Utf8(0x1F3FB + r_.Below(5));
          out += PickOf({"", "", tone, "\ufe0f", "\ufe0e"});
        }
        break;
      case 3:
        out += r_.Pick(t_.digits) + "\ufe0f\u20e3";
        break;
      case 4:  // a tag sequence, at times without its end
        out += "\U0001f3f4";
        for (uint64_t k = 1 + r_.Below(6); k > 0; --k) out += Utf8(0xE0061 + r_.Below(26));
        out += PickOf({"\U000e007f", ""});
        break;
      default:
        out += Utf8(0x1F300 + r_.Below(0x800));
    }
    out += PickOf({"", "", " ", "a", "!"});
  }
  return out;
}

std::string MixedText::Code() {
  std::string text = r_.Pick(t_.code);
  for (uint64_t n = r_.Below(3); n > 0; --n) {
    const size_t at = Utf8Prefix(text, r_.Below(CountCodePoints(text) + 1)).size();
    const uint64_t kind = r_.Below(4);
    text.insert(at, kind == 0   ? r_.Pick(t_.spaces)
                    : kind == 1 ? r_.Pick(t_.words)
                    : kind == 2 ? r_.Pick(t_.emoji)
                                : Utf8(r_.Below(160)));
  }
  return text;
}

std::string MixedText::Controls() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(12); n > 0; --n) {
    const uint64_t c = r_.Below(65);
    out += Utf8(c < 32 ? c : c + 95);
    out += PickOf({"", "", "a", " ", "1", "\n"});
  }
  return out;
}

std::string MixedText::Added() {
  std::string out = r_.Pick(t_.words);
  for (uint64_t n = 1 + r_.Below(4); n > 0; --n) {
    out += PickOf({"", " ", "  \n", "\u00e9", "'", "\t"});
    const std::string& token = r_.Pick(t_.added);
    if (r_.Below(3) == 0) {  // broken
      const size_t count = CountCodePoints(token);
      out += std::string(Utf8Prefix(token, r_.Below(count + 1)));
      out += PickOf({"", " ", token.substr(Utf8Prefix(token, count - 1).size()), "<", "|>"});
    } else {
      out += token;
    }
  }
  return out + r_.Pick(t_.words);
}

std::string MixedText::Anything() {
  std::string out;
  for (uint64_t n = r_.Below(18); n > 0; --n) out += AnyCharacter();
  return out;
}

std::string MixedText::Run() {
  std::string out = PickOf({"", "", "a", " "});
  const std::string& unit = r_.Pick(t_.runs);
  const uint64_t most = r_.Below(6) != 0 ? 40 : 500;
  out += Times(unit, 2 + r_.Below(most));
  return out + PickOf({"", "", "a", " b", "\n", "1"});
}

std::string MixedText::Alternating() {
  std::vector<std::string> units;
  for (uint64_t n = 2 + r_.Below(3); n > 0; --n) units.push_back(r_.Pick(t_.runs));
  std::string out;
  for (uint64_t n = 2 + r_.Below(40); n > 0; --n) {
    const std::string& unit = r_.Pick(units);
    out += Times(unit, 1 + r_.Below(4));
  }
  return out;
}

std::string MixedText::Punctuation() {
  std::string out;
  for (uint64_t n = 1 + r_.Below(30); n > 0; --n) {
    out += r_.Below(5) != 0 ? r_.Pick(t_.punctuation)
                            : PickOf({"a", " ", "1", "\n", "\u00e9", "\u4e2d"});
  }
  return out;
}

std::string MixedText::OfKind(uint64_t kind) {
  switch (kind) {
    case 0:
    case 1:
    case 2:
      return Scripts();
    case 3:
    case 4:
      return Words();
    case 5:
      return Spaces();
    case 6:
      return Numbers();
    case 7:
      return Marks();
    case 8:
    case 9:
      return Emoji();
    case 10:
      return Code();
    case 11:
      return Controls();
    case 12:
      return Added();
    case 13:
      return Anything();
    case 14:
      return Run();
    default:
      return Punctuation();
  }
}

std::string MixedText::Line() {
  const uint64_t kind = r_.Below(16);
  std::string out = kind == 14 && r_.Below(2) != 0 ? Alternating() : OfKind(kind);
  // Some lines are two of them, so that every kind meets every other.
  if (r_.Below(5) == 0) out += OfKind(r_.Below(14));
  return out;
}

std::string MixedText::ByteString() {
  std::string out;
  if (r_.Below(8) == 0) {
    for (uint64_t n = r_.Below(16); n > 0; --n) out.push_back(static_cast<char>(r_.Below(256)));
    return out;
  }
  const bool broken = r_.Below(2) != 0;
  for (uint64_t n = 1 + r_.Below(12); n > 0; --n) {
    const uint64_t kind = r_.Below(4);
    if (kind == 0 && broken) {
      out += kBroken[r_.Below(std::size(kBroken))];
    } else if (kind == 1) {
      out += Utf8(r_.Below(128));
    } else if (kind == 2) {
      out += FromBlock();
    } else {
      out += AnyCharacter();
    }
  }
  if (broken && !out.empty() && r_.Below(3) == 0) {
    const uint64_t at = r_.Below(out.size());
    out[at] = static_cast<char>(r_.Below(256));
  }
  return out;
}

std::vector<int32_t> IdSequence(SplitMix& r, int32_t size, const std::vector<int32_t>& short_ids,
                                const std::vector<int32_t>& added) {
  std::vector<int32_t> out;
  for (uint64_t n = r.Below(33); n > 0; --n) {
    const uint64_t kind = r.Below(8);
    if (kind < 4) {
      out.push_back(r.Pick(short_ids));
    } else if (kind == 4) {
      out.push_back(r.Pick(added));
    } else if (kind == 5 && r.Below(20) == 0) {
      out.push_back(size + static_cast<int32_t>(r.Below(5)));
    } else {
      out.push_back(static_cast<int32_t>(r.Below(static_cast<uint64_t>(size))));
    }
  }
  return out;
}

}  // namespace steer
