// Tokens to tree, by the grammar of jinja2 with its extensions loopcontrols and transformers'
// generation block.
#ifndef STEER_SERVER_TOKENIZER_JINJA_PARSER_H_
#define STEER_SERVER_TOKENIZER_JINJA_PARSER_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tokenizer/jinja/ast.h"
#include "server/tokenizer/jinja/lexer.h"

namespace steer::jinja {

inline constexpr int kMaxParseDepth = 100;  // nested brackets and blocks
inline constexpr int kMaxExprHeight =
    300;  // of an expression's tree: a + b + c + ... is as high as it is long

// INVALID_ARGUMENT naming the line for anything that is not in the grammar, and for tags that this
// engine does not build.
absl::StatusOr<Body> Parse(std::vector<Token> tokens);

// The parser's state; expressions in parse_expression.cc, statements in parse_statement.cc.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  absl::StatusOr<Body> Template();

 private:
  using ExprOr = absl::StatusOr<ExprPtr>;
  using StatementOr = absl::StatusOr<std::unique_ptr<Statement>>;

  const Token& Now() const { return tokens_[at_]; }
  // The last token stays current, whatever skips it.
  size_t NextAt() const { return std::min(at_ + 1, tokens_.size() - 1); }
  const Token& Next() const { return tokens_[NextAt()]; }
  void Skip() { at_ = NextAt(); }
  bool SkipIfName(absl::string_view name);
  bool SkipIfOperator(absl::string_view op);
  absl::Status ExpectOperator(absl::string_view op);
  absl::Status ExpectName(absl::string_view name);
  absl::StatusOr<std::string> ExpectAnyName();
  absl::Status Unexpected(absl::string_view wanted) const;

  // Expressions, loosest first.
  ExprOr Expression() { return Condition(); }
  ExprOr Condition();
  ExprOr Or();
  ExprOr And();
  ExprOr Not();
  ExprOr Compare();
  ExprOr Sum();
  ExprOr Concat();
  ExprOr Product();
  ExprOr Power();
  ExprOr Unary(bool with_filter);
  ExprOr Primary();
  ExprOr NameOrConstant();
  ExprOr Postfix(ExprPtr node);
  ExprOr FiltersAndTests(ExprPtr node);
  ExprOr Subscript(ExprPtr node);
  ExprOr Item();
  ExprOr Test(ExprPtr node);
  ExprOr Filter(ExprPtr node);  // from its name on
  absl::StatusOr<std::string> DottedName();
  ExprOr ListLiteral();
  ExprOr DictLiteral();
  // Comma-separated expressions. `conditions`: whether "a if b" is allowed in them.
  ExprOr TupleOrExpression(bool conditions, bool parenthesized);
  bool AtTupleEnd() const;
  absl::Status Arguments(Expr* call);
  // A binary node; checks the height.
  ExprOr Join(ExprKind kind, std::string text, ExprPtr left, ExprPtr right, int line);
  ExprOr Finish(ExprPtr node) const;

  // Statements.
  absl::StatusOr<Body> Statements(std::vector<absl::string_view> end_names);
  absl::StatusOr<Body> Block(std::vector<absl::string_view> end_names);
  absl::StatusOr<Body> LastBlock(absl::string_view end_name);
  StatementOr OneStatement();
  StatementOr For();
  StatementOr If();
  StatementOr Set();
  StatementOr Macro();
  StatementOr CallBlock();
  StatementOr FilterBlock();
  StatementOr With();
  StatementOr Print();
  StatementOr Generation();
  StatementOr LoopControl();
  absl::StatusOr<Target> AssignTarget(bool namespaces);
  absl::StatusOr<Target> OneTarget(bool namespaces);
  absl::Status Signature(MacroDefinition* macro);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int loops_ = 0;  // open loops that break and continue may name
};

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_PARSER_H_
