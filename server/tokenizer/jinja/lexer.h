// Splits a template into tokens, with the white-space rules of jinja2 under trim_blocks and
// lstrip_blocks: '-' strips, '+' keeps, a newline after a block or comment goes, blanks before a
// block or comment that starts its line go, one newline at the very end goes.
#ifndef STEER_SERVER_TOKENIZER_JINJA_LEXER_H_
#define STEER_SERVER_TOKENIZER_JINJA_LEXER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer::jinja {

enum class TokenKind {
  kData,
  kBlockBegin,
  kBlockEnd,
  kVariableBegin,
  kVariableEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;  // of a string: unescaped
  int line;          // from 1

  bool Is(TokenKind k, absl::string_view t) const { return kind == k && text == t; }
  bool IsOperator(absl::string_view t) const { return Is(TokenKind::kOperator, t); }
  bool IsName(absl::string_view t) const { return Is(TokenKind::kName, t); }
};

// As shown in errors, of a token that may stand inside of a tag.
std::string Describe(const Token& token);

// INVALID_ARGUMENT "line N: ...".
absl::Status SyntaxError(int line, absl::string_view what);

// The last token is kEnd. INVALID_ARGUMENT if the source is not UTF-8 or a tag is malformed.
absl::StatusOr<std::vector<Token>> Lex(absl::string_view source);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_LEXER_H_
