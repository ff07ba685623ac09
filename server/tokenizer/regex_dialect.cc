#include "server/tokenizer/regex_dialect.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/unicode.h"

namespace steer::tok {
namespace {

// Categories that may follow \p. Mn and C are absent: Unicode 16 took characters out of them, which
// a class cannot express.
constexpr absl::string_view kCategories[] = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mc", "Me", "N",  "Nd", "Nl", "No", "P",  "Pc",
    "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp"};

std::string Hex(uint32_t c) { return absl::StrCat("\\x{", absl::Hex(c), "}"); }

template <typename Ranges>
std::string ClassRanges(const Ranges& ranges) {
  std::string out;
  for (const CodePointRange& range : ranges) {
    absl::StrAppend(&out, Hex(range.first));
    if (range.last != range.first) absl::StrAppend(&out, "-", Hex(range.last));
  }
  return out;
}

// The complement of White_Space.
std::string NotWhitespaceRanges() {
  std::vector<CodePointRange> gaps;
  uint32_t next = 0;
  for (const CodePointRange& range : kWhitespace) {
    gaps.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  gaps.push_back({next, 0x10FFFF});
  return ClassRanges(gaps);
}

// What an escape stands for: one character, or a set given as the inside of a class.
struct Escape {
  bool is_set = false;
  bool negated = false;  // of a set
  std::string text;
};

class Translator {
 public:
  explicit Translator(absl::string_view pattern) : in_(pattern) {}

  absl::StatusOr<std::string> Run() {
    while (at_ < in_.size()) STEER_RETURN_IF_ERROR(Step());
    if (!caseless_.empty()) return Error(in_.size(), "a group is not closed");
    return std::move(out_);
  }

 private:
  absl::Status Error(size_t at, absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(what, " at byte ", at, " of the pattern"));
  }
  bool InCaseless() const { return !caseless_.empty() && caseless_.back(); }
  bool Next(absl::string_view s) const { return absl::StartsWith(in_.substr(at_), s); }

  absl::Status Step() {
    char c = in_[at_];
    if (c != '*' && c != '+' && c != '?' && c != '{') after_braces_ = false;
    if (InCaseless() && (c == '[' || c == '.'))
      return Error(at_, "a class inside (?i:...) is not built");
    switch (c) {
      case '(':
        return OpenGroup();
      case ')':
        if (caseless_.empty()) return Error(at_, "a ) without its (");
        caseless_.pop_back();
        [[fallthrough]];
      case '|':
      case '^':
      case '$':
      case '.':
        last_letter_ = 0;
        out_.push_back(in_[at_++]);
        return absl::OkStatus();
      case '*':
      case '+':
      case '?':
        // {n,m}+ repeats again in Ruby's syntax and is possessive in PCRE2's.
        if (after_braces_ && c == '+') return Error(at_, "{n,m}+ is not built");
        last_letter_ = 0;
        out_.push_back(in_[at_++]);
        return absl::OkStatus();
      case '{':
        return Braces();
      case '[':
        last_letter_ = 0;
        return Class();
      case '\\': {
        size_t begin = at_;
        STEER_ASSIGN_OR_RETURN(Escape escape, ReadEscape());
        if (escape.is_set) {
          if (InCaseless()) return Error(begin, "a class inside (?i:...) is not built");
          absl::StrAppend(&out_, escape.negated ? "[^" : "[", escape.text, "]");
        } else {
          if (InCaseless()) return Error(begin, "an escape inside (?i:...) is not built");
          out_ += escape.text;
        }
        last_letter_ = 0;
        return absl::OkStatus();
      }
      default:
        return Literal();
    }
  }

  absl::Status OpenGroup() {
    bool caseless = InCaseless();
    for (absl::string_view open : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:"}) {
      if (!Next(open)) continue;
      caseless_.push_back(caseless || open == "(?i:");
      absl::StrAppend(&out_, open);
      at_ += open.size();
      last_letter_ = 0;
      return absl::OkStatus();
    }
    if (Next("(?"))
      return Error(at_, absl::StrCat("the group ", in_.substr(at_, 4), "... is not built"));
    caseless_.push_back(caseless);
    out_ += "(?:";
    ++at_;
    last_letter_ = 0;
    return absl::OkStatus();
  }

  // {n}, {n,}, {,m}, {n,m}; any other brace is a literal in both engines, which we do not rely on.
  absl::Status Braces() {
    size_t begin = at_, end = in_.find('}', at_);
    if (end == absl::string_view::npos)
      return Error(begin, "a { that is not \\{ and no repeat count");
    absl::string_view inside = in_.substr(at_ + 1, end - at_ - 1);
    size_t comma = inside.find(',');
    absl::string_view low = inside.substr(0, comma);
    absl::string_view high = comma == absl::string_view::npos ? "" : inside.substr(comma + 1);
    auto digits = [](absl::string_view s) {
      return std::all_of(s.begin(), s.end(), absl::ascii_isdigit);
    };
    if (!digits(low) || !digits(high) || (low.empty() && high.empty()) || low.size() > 4 ||
        high.size() > 4) {
      return Error(begin, "a { that is not \\{ and no repeat count");
    }
    absl::StrAppend(&out_, "{", low.empty() ? "0" : low,
                    comma == absl::string_view::npos ? "" : ",", high, "}");
    at_ = end + 1;
    after_braces_ = true;
    last_letter_ = 0;
    return absl::OkStatus();
  }

  absl::Status Literal() {
    size_t begin = at_;
    uint32_t c = NextCodePoint(in_, &at_);
    if (InCaseless()) {
      // Oniguruma folds some pairs of letters into one character (ss and the sharp s, the Latin
      // ligatures).
      if (c >= 0x80) return Error(begin, "a non-ASCII letter inside (?i:...) is not built");
      char letter = absl::ascii_tolower(static_cast<unsigned char>(c));
      std::string pair = {last_letter_, letter};
      for (absl::string_view folded : {"ss", "st", "ff", "fi", "fl"}) {
        if (pair == folded)
          return Error(begin, absl::StrCat("\"", folded, "\" inside (?i:...) is not built"));
      }
      last_letter_ = letter;
    }
    absl::StrAppend(&out_, in_.substr(begin, at_ - begin));
    return absl::OkStatus();
  }

  absl::StatusOr<Escape> ReadEscape() {
    size_t begin = at_++;
    if (at_ >= in_.size()) return Error(begin, "a \\ at the end");
    char c = in_[at_++];
    switch (c) {
      case 't':
        return Escape{.text = Hex(9)};
      case 'n':
        return Escape{.text = Hex(10)};
      case 'v':
        return Escape{.text = Hex(11)};
      case 'f':
        return Escape{.text = Hex(12)};
      case 'r':
        return Escape{.text = Hex(13)};
      case 'a':
        return Escape{.text = Hex(7)};
      case 'e':
        return Escape{.text = Hex(27)};
      case 's':
        return Escape{.is_set = true, .text = ClassRanges(kWhitespace)};
      case 'S':
        return Escape{.is_set = true, .text = NotWhitespaceRanges()};
      case 'd':
      case 'D':
        return Category("Nd", c == 'D', begin);
      case 'p':
      case 'P':
        return Property(c == 'P', begin);
      case 'u':
      case 'x':
        return CodePointEscape(c, begin);
      default:
        if (static_cast<unsigned char>(c) >= 0x80 ||
            absl::ascii_isalnum(static_cast<unsigned char>(c))) {
          return Error(begin, absl::StrCat("the escape ", in_.substr(begin, 2), " is not built"));
        }
        return Escape{.text = std::string(in_.substr(begin, 2))};
    }
  }

  absl::StatusOr<Escape> CodePointEscape(char kind, size_t begin) {
    size_t digits_begin = at_, digits_end, end;
    if (kind == 'x' && at_ < in_.size() && in_[at_] == '{') {
      digits_begin = at_ + 1;
      digits_end = in_.find('}', at_);
      if (digits_end == absl::string_view::npos) return Error(begin, "\\x{ without }");
      end = digits_end + 1;
    } else {
      digits_end = std::min(in_.size(), at_ + (kind == 'u' ? 4 : 2));
      end = digits_end;
    }
    absl::string_view digits = in_.substr(digits_begin, digits_end - digits_begin);
    bool short_u = kind == 'u' && digits.size() != 4;
    if (short_u || digits.empty() || digits.size() > 6 ||
        !std::all_of(digits.begin(), digits.end(), absl::ascii_isxdigit)) {
      return Error(begin, absl::StrCat("\\", std::string(1, kind), " without hexadecimal digits"));
    }
    uint32_t value = static_cast<uint32_t>(std::stoul(std::string(digits), nullptr, 16));
    // \x80 to \xFF are raw bytes to Oniguruma.
    if (kind == 'x' && in_[at_] != '{' && value >= 0x80)
      return Error(begin, "a raw byte is not built");
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
      return Error(begin, "no such character");
    at_ = end;
    return Escape{.text = Hex(value)};
  }

  absl::StatusOr<Escape> Property(bool negated, size_t begin) {
    if (at_ >= in_.size() || in_[at_] != '{') return Error(begin, "\\p without {");
    size_t end = in_.find('}', at_);
    if (end == absl::string_view::npos) return Error(begin, "\\p{ without }");
    absl::string_view name = in_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (absl::StartsWith(name, "^")) {
      negated = !negated;
      name.remove_prefix(1);
    }
    return Category(name, negated, begin);
  }

  absl::StatusOr<Escape> Category(absl::string_view name, bool negated, size_t begin) {
    if (std::find(std::begin(kCategories), std::end(kCategories), name) == std::end(kCategories)) {
      return Error(begin, absl::StrCat("the property ", name, " is not built"));
    }
    return Escape{.is_set = true,
                  .negated = negated,
                  .text = absl::StrCat("\\p{", name, "}", ClassRanges(CategoryAdditions(name)))};
  }

  absl::Status Class() {
    size_t begin = at_++;
    out_.push_back('[');
    if (at_ < in_.size() && in_[at_] == '^') {
      out_.push_back('^');
      ++at_;
    }
    bool first = true, after_set = false;
    for (;; first = false) {
      if (at_ >= in_.size()) return Error(begin, "a [ without its ]");
      char c = in_[at_];
      if (c == ']') {
        if (first) return Error(begin, "an empty class");
        out_.push_back(']');
        ++at_;
        return absl::OkStatus();
      }
      if (c == '[') return Error(at_, "a [ inside a class is not built");
      if (Next("&&")) return Error(at_, "&& inside a class is not built");
      bool set = false;
      if (c == '\\') {
        size_t escape_begin = at_;
        STEER_ASSIGN_OR_RETURN(Escape escape, ReadEscape());
        if (escape.is_set && escape.negated)
          return Error(escape_begin, "a negated property inside a class is not built");
        set = escape.is_set;
        out_ += escape.text;
      } else if (c == '-' && !first && !Next("-]")) {
        // A range, whose ends must both be characters.
        if (after_set) return Error(at_, "a range that begins with a class");
        out_.push_back('-');
        ++at_;
        if (Next("\\")) {
          size_t escape_begin = at_;
          STEER_ASSIGN_OR_RETURN(Escape escape, ReadEscape());
          if (escape.is_set) return Error(escape_begin, "a range that ends with a class");
          out_ += escape.text;
        } else {
          size_t from = at_;
          if (Next("[") || Next("&&")) return Error(at_, "a range that ends with a class");
          NextCodePoint(in_, &at_);
          out_ += std::string(in_.substr(from, at_ - from));
        }
        set = true;  // a-b-c is not a range again
      } else {
        size_t from = at_;
        NextCodePoint(in_, &at_);
        // A lone - is escaped, since what we insert before it may end in a range.
        if (c == '-') out_.push_back('\\');
        out_ += std::string(in_.substr(from, at_ - from));
      }
      after_set = set;
    }
  }

  absl::string_view in_;
  size_t at_ = 0;
  std::string out_;
  std::vector<bool> caseless_;  // of the open groups
  char last_letter_ = 0;        // the literal just before, inside (?i:...)
  bool after_braces_ = false;
};

}  // namespace

absl::StatusOr<std::string> ToPcre2(absl::string_view pattern) { return Translator(pattern).Run(); }

}  // namespace steer::tok
