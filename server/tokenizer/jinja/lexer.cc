#include "server/tokenizer/jinja/lexer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/string_literal.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// One kind of line end, and none at the very end.
std::string NormalizeNewlines(absl::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
    } else {
      out.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(absl::string_view source) : source_(source) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) {
      const size_t open = FindOpening(at_);
      if (open == absl::string_view::npos) {
        Emit(TokenKind::kData, std::string(source_.substr(at_)));
        break;
      }
      const char kind = source_[open + 1];
      const char sign = SignAt(open + 2);
      absl::string_view data = source_.substr(at_, open - at_);
      Emit(TokenKind::kData, std::string(StripBefore(data, sign, /*is_block=*/kind != '{')));
      MoveTo(open);
      const size_t inside = open + 2 + (sign != 0 ? 1 : 0);
      if (kind == '#') {
        STEER_RETURN_IF_ERROR(Comment(inside));
      } else if (size_t body = RawBegin(inside); kind == '%' && body != 0) {
        STEER_RETURN_IF_ERROR(Raw(body));
      } else {
        const bool block = kind == '%';
        Emit(block ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, "");
        MoveTo(inside);
        STEER_RETURN_IF_ERROR(Tag(block));
      }
      line_starting_ = source_[at_ - 1] == '\n';  // behind an opening
    }
    MoveTo(source_.size());
    tokens_.push_back({TokenKind::kEnd, "", line_});
    return std::move(tokens_);
  }

 private:
  size_t FindOpening(size_t from) const {
    for (size_t i = source_.find('{', from); i != absl::string_view::npos;
         i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) {
        return i;
      }
    }
    return absl::string_view::npos;
  }
  char SignAt(size_t i) const {
    return i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? source_[i] : 0;
  }
  bool At(size_t i, absl::string_view what) const { return source_.substr(i, what.size()) == what; }
  size_t SkipSpace(size_t i) const {
    return source_.size() - StripSpace(source_.substr(i), Side::kLeft).size();
  }

  absl::string_view StripBefore(absl::string_view data, char sign, bool is_block) const {
    if (sign == '-') return StripSpace(data, Side::kRight);
    if (sign == '+' || !is_block) return data;
    const size_t newline = data.rfind('\n');
    if (newline == absl::string_view::npos && !line_starting_) return data;
    const size_t line = newline == absl::string_view::npos ? 0 : newline + 1;
    return StripSpace(data.substr(line), Side::kRight).empty() ? data.substr(0, line) : data;
  }

  // Length of a closing at `i` with what it swallows: "+%}", "-%}" and white space, "%}" and one
  // newline. 0 if there is none.
  size_t Closing(size_t i, absl::string_view mark, bool is_variable) const {
    if (!is_variable && source_[i] == '+' && At(i + 1, mark)) return mark.size() + 1;
    if (source_[i] == '-' && At(i + 1, mark)) return SkipSpace(i + 1 + mark.size()) - i;
    if (!At(i, mark)) return 0;
    return mark.size() + (!is_variable && At(i + mark.size(), "\n") ? 1 : 0);
  }

  absl::Status Comment(size_t inside) {
    for (size_t i = inside; i < source_.size(); ++i) {
      if (size_t length = Closing(i, "#}", false); length != 0) {
        MoveTo(i + length);
        return absl::OkStatus();
      }
    }
    return SyntaxError(line_, "the comment {# has no end");
  }

  // Offset behind "raw %}", 0 if the tag is another one.
  size_t RawBegin(size_t inside) const {
    size_t i = SkipSpace(inside);
    if (!At(i, "raw")) return 0;
    i = SkipSpace(i + 3);
    if (At(i, "-%}")) return SkipSpace(i + 3);
    return At(i, "%}") ? i + 2 : 0;
  }

  absl::Status Raw(size_t body) {
    line_starting_ = source_[body - 1] == '\n';
    for (size_t i = source_.find("{%", body); i != absl::string_view::npos;
         i = source_.find("{%", i + 1)) {
      const char sign = SignAt(i + 2);
      size_t name = SkipSpace(i + 2 + (sign != 0 ? 1 : 0));
      if (!At(name, "endraw")) continue;
      name = SkipSpace(name + 6);
      const size_t length = name < source_.size() ? Closing(name, "%}", false) : 0;
      if (length == 0) continue;
      MoveTo(body);
      Emit(TokenKind::kData, std::string(StripBefore(source_.substr(body, i - body), sign, true)));
      MoveTo(name + length);
      return absl::OkStatus();
    }
    return SyntaxError(line_, "{% raw %} has no {% endraw %}");
  }

  absl::Status Tag(bool block) {
    std::string open_brackets;
    while (at_ < source_.size()) {
      if (open_brackets.empty()) {
        if (size_t length = Closing(at_, block ? "%}" : "}}", !block); length != 0) {
          Emit(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, "");
          MoveTo(at_ + length);
          return absl::OkStatus();
        }
      }
      if (size_t next = SkipSpace(at_); next != at_) {
        MoveTo(next);
        continue;
      }
      STEER_RETURN_IF_ERROR(OneToken(&open_brackets));
    }
    // The parser says what is missing.
    return absl::OkStatus();
  }

  absl::Status OneToken(std::string* open_brackets) {
    const char c = source_[at_];
    if (IsDigit(c)) return Number();
    if (IsWord(c)) {
      size_t end = at_;
      while (end < source_.size() && IsWord(source_[end])) ++end;
      if (end < source_.size() && static_cast<unsigned char>(source_[end]) >= 0x80) {
        return SyntaxError(line_, "a name with a character outside ASCII is not built");
      }
      Take(TokenKind::kName, end);
      return absl::OkStatus();
    }
    if (c == '\'' || c == '"') return StringToken(c);
    static constexpr absl::string_view kLong[] = {"//", "**", "==", "!=", ">=", "<="};
    for (absl::string_view op : kLong) {
      if (At(at_, op)) {
        Take(TokenKind::kOperator, at_ + 2);
        return absl::OkStatus();
      }
    }
    if (absl::string_view("+-/*%~[](){}><=.:|,;").find(c) == absl::string_view::npos) {
      size_t end = at_;
      NextCodePoint(source_, &end);
      return SyntaxError(
          line_, absl::StrCat("unexpected character '", source_.substr(at_, end - at_), "'"));
    }
    if (c == '(' || c == '[' || c == '{') {
      open_brackets->push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (open_brackets->empty() || open_brackets->back() != c) {
        return SyntaxError(line_, absl::StrCat("unexpected '", std::string(1, c), "'"));
      }
      open_brackets->pop_back();
    }
    Take(TokenKind::kOperator, at_ + 1);
    return absl::OkStatus();
  }

  // Past digits with single underscores between them, from a digit.
  template <typename IsOne>
  size_t Digits(size_t i, IsOne is_one) const {
    while (i < source_.size() &&
           (is_one(source_[i]) ||
            (source_[i] == '_' && i + 1 < source_.size() && is_one(source_[i + 1])))) {
      ++i;
    }
    return i;
  }

  absl::Status Number() {
    const size_t end = Digits(at_, IsDigit);
    size_t float_end = end;
    if (At(end, ".") && end + 1 < source_.size() && IsDigit(source_[end + 1])) {
      float_end = Digits(end + 1, IsDigit);
    }
    if (float_end < source_.size() && (source_[float_end] == 'e' || source_[float_end] == 'E')) {
      const size_t digits = float_end + 1 + (SignAt(float_end + 1) != 0 ? 1 : 0);
      if (digits < source_.size() && IsDigit(source_[digits])) float_end = Digits(digits, IsDigit);
    }
    const bool after_dot = source_[at_ - 1] == '.';  // x.1.2 are two integers
    if (float_end != end && !after_dot) {
      Take(TokenKind::kFloat, float_end);
      return absl::OkStatus();
    }
    if (source_[at_] == '0' && end < source_.size() &&
        absl::StrContains("bBoOxX", source_.substr(end, 1)) && end == at_ + 1) {
      return SyntaxError(line_, "binary, octal and hexadecimal numbers are not built");
    }
    if (source_[at_] == '0' &&
        source_.substr(at_, end - at_).find_first_not_of("0_") != absl::string_view::npos) {
      return SyntaxError(line_, "a number starts with 0");
    }
    Take(TokenKind::kInteger, end);
    return absl::OkStatus();
  }

  absl::Status StringToken(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return SyntaxError(line_, "a string has no end");
    STEER_ASSIGN_OR_RETURN(std::string text,
                           Unescape(source_.substr(at_ + 1, end - at_ - 1), line_));
    Emit(TokenKind::kString, std::move(text));
    MoveTo(end + 1);
    return absl::OkStatus();
  }

  void Take(TokenKind kind, size_t end) {
    std::string text(source_.substr(at_, end - at_));
    if (kind == TokenKind::kInteger || kind == TokenKind::kFloat) {
      text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    }
    Emit(kind, std::move(text));
    MoveTo(end);
  }
  void Emit(TokenKind kind, std::string text) {
    if (kind == TokenKind::kData && text.empty()) return;
    tokens_.push_back({kind, std::move(text), line_});
  }
  void MoveTo(size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  absl::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kEnd:
      return "the end of the template";
    default:
      return absl::StrCat("'", token.text, "'");
  }
}

absl::Status SyntaxError(int line, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_TEMPLATE",
                   absl::StrCat("line ", line, ": ", what));
}

absl::StatusOr<std::vector<Token>> Lex(absl::string_view source) {
  if (!IsValidUtf8(source)) return SyntaxError(1, "the template is not UTF-8");
  const std::string normal = NormalizeNewlines(source);
  return Lexer(normal).Run();
}

}  // namespace steer::jinja
