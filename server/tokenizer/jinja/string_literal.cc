#include "server/tokenizer/jinja/string_literal.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/lexer.h"

namespace steer::jinja {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

absl::StatusOr<uint32_t> Hex(absl::string_view body, size_t at, size_t digits, int line) {
  uint32_t value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = at + i < body.size() ? HexDigit(body[at + i]) : -1;
    if (digit < 0) return SyntaxError(line, "a string holds a truncated \\x, \\u or \\U escape");
    value = value << 4 | static_cast<uint32_t>(digit);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    return SyntaxError(line, "a string holds an escape that is not a character");
  }
  return value;
}

}  // namespace

absl::StatusOr<std::string> Unescape(absl::string_view body, int line) {
  std::string out;
  for (size_t at = 0; at < body.size();) {
    const char c = body[at++];
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    if (at >= body.size()) return SyntaxError(line, "a string ends in a backslash");
    const char e = body[at++];
    switch (e) {
      case '\n':
        break;
      case '\\':
      case '\'':
      case '"':
        out.push_back(e);
        break;
      case 'a':
        out.push_back('\a');
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'v':
        out.push_back('\v');
        break;
      case 'x':
      case 'u':
      case 'U': {
        const size_t digits = e == 'x' ? 2 : e == 'u' ? 4 : 8;
        STEER_ASSIGN_OR_RETURN(uint32_t value, Hex(body, at, digits, line));
        AppendUtf8(value, &out);
        at += digits;
        break;
      }
      case 'N':
        return SyntaxError(line, "the escape \\N{...} in a string is not built");
      default:
        if (e >= '0' && e <= '7') {
          uint32_t value = static_cast<uint32_t>(e - '0');
          for (int i = 0; i < 2 && at < body.size() && body[at] >= '0' && body[at] <= '7'; ++i) {
            value = value << 3 | static_cast<uint32_t>(body[at++] - '0');
          }
          AppendUtf8(value, &out);
        } else if (static_cast<unsigned char>(e) >= 0x80) {
          return SyntaxError(line, "a backslash before a character outside ASCII is not built");
        } else {
          out.push_back('\\');
          out.push_back(e);
        }
    }
  }
  return out;
}

}  // namespace steer::jinja
