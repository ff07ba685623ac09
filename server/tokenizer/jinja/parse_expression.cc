#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/parser.h"

namespace steer::jinja {
namespace {

ExprPtr Make(ExprKind kind, int line, std::string text = "") {
  auto node = std::make_unique<Expr>();
  node->kind = kind;
  node->line = line;
  node->text = std::move(text);
  return node;
}

ExprPtr MakeConst(int line, Value value) {
  ExprPtr node = Make(ExprKind::kConst, line);
  node->constant = std::move(value);
  return node;
}

}  // namespace

Parser::ExprOr Parser::Finish(ExprPtr node) const {
  for (const ExprPtr& arg : node->args) {
    if (arg != nullptr) node->height = std::max(node->height, arg->height + 1);
  }
  for (const auto& [name, arg] : node->named)
    node->height = std::max(node->height, arg->height + 1);
  if (node->height > kMaxExprHeight) {
    return SyntaxError(node->line,
                       absl::StrCat("an expression is nested deeper than ", kMaxExprHeight));
  }
  return node;
}

Parser::ExprOr Parser::Join(ExprKind kind, std::string text, ExprPtr left, ExprPtr right,
                            int line) {
  ExprPtr node = Make(kind, line, std::move(text));
  node->args.push_back(std::move(left));
  node->args.push_back(std::move(right));
  return Finish(std::move(node));
}

Parser::ExprOr Parser::Condition() {
  if (++depth_ > kMaxParseDepth) {
    return SyntaxError(Now().line, absl::StrCat("nested deeper than ", kMaxParseDepth));
  }
  absl::Cleanup leave = [this] { --depth_; };
  STEER_ASSIGN_OR_RETURN(ExprPtr value, Or());
  while (Now().IsName("if")) {
    ExprPtr node = Make(ExprKind::kCondition, Now().line);
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr test, Or());
    ExprPtr otherwise;
    if (SkipIfName("else")) {
      STEER_ASSIGN_OR_RETURN(otherwise, Condition());
    }
    node->args.push_back(std::move(test));
    node->args.push_back(std::move(value));
    node->args.push_back(std::move(otherwise));
    STEER_ASSIGN_OR_RETURN(value, Finish(std::move(node)));
  }
  return value;
}

Parser::ExprOr Parser::Or() {
  STEER_ASSIGN_OR_RETURN(ExprPtr left, And());
  while (Now().IsName("or")) {
    const int line = Now().line;
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr right, And());
    STEER_ASSIGN_OR_RETURN(left,
                           Join(ExprKind::kOr, "or", std::move(left), std::move(right), line));
  }
  return left;
}

Parser::ExprOr Parser::And() {
  STEER_ASSIGN_OR_RETURN(ExprPtr left, Not());
  while (Now().IsName("and")) {
    const int line = Now().line;
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr right, Not());
    STEER_ASSIGN_OR_RETURN(left,
                           Join(ExprKind::kAnd, "and", std::move(left), std::move(right), line));
  }
  return left;
}

Parser::ExprOr Parser::Not() {
  if (!Now().IsName("not")) return Compare();
  if (++depth_ > kMaxParseDepth) {
    return SyntaxError(Now().line, absl::StrCat("nested deeper than ", kMaxParseDepth));
  }
  absl::Cleanup leave = [this] { --depth_; };
  ExprPtr node = Make(ExprKind::kNot, Now().line);
  Skip();
  STEER_ASSIGN_OR_RETURN(ExprPtr operand, Not());
  node->args.push_back(std::move(operand));
  return Finish(std::move(node));
}

Parser::ExprOr Parser::Compare() {
  STEER_ASSIGN_OR_RETURN(ExprPtr first, Sum());
  ExprPtr node = Make(ExprKind::kCompare, Now().line);
  node->args.push_back(std::move(first));
  while (true) {
    const Token& now = Now();
    if (now.IsOperator("==") || now.IsOperator("!=") || now.IsOperator("<") ||
        now.IsOperator("<=") || now.IsOperator(">") || now.IsOperator(">=")) {
      node->operators.push_back(now.text);
      Skip();
    } else if (now.IsName("in")) {
      node->operators.push_back("in");
      Skip();
    } else if (now.IsName("not") && Next().IsName("in")) {
      node->operators.push_back("not in");
      Skip();
      Skip();
    } else {
      break;
    }
    STEER_ASSIGN_OR_RETURN(ExprPtr operand, Sum());
    node->args.push_back(std::move(operand));
  }
  if (node->operators.empty()) return std::move(node->args[0]);
  return Finish(std::move(node));
}

Parser::ExprOr Parser::Sum() {
  STEER_ASSIGN_OR_RETURN(ExprPtr left, Concat());
  while (Now().IsOperator("+") || Now().IsOperator("-")) {
    const Token op = Now();
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr right, Concat());
    STEER_ASSIGN_OR_RETURN(
        left, Join(ExprKind::kBinary, op.text, std::move(left), std::move(right), op.line));
  }
  return left;
}

Parser::ExprOr Parser::Concat() {
  STEER_ASSIGN_OR_RETURN(ExprPtr first, Product());
  if (!Now().IsOperator("~")) return first;
  ExprPtr node = Make(ExprKind::kConcat, Now().line);
  node->args.push_back(std::move(first));
  while (SkipIfOperator("~")) {
    STEER_ASSIGN_OR_RETURN(ExprPtr operand, Product());
    node->args.push_back(std::move(operand));
  }
  return Finish(std::move(node));
}

Parser::ExprOr Parser::Product() {
  STEER_ASSIGN_OR_RETURN(ExprPtr left, Power());
  while (Now().IsOperator("*") || Now().IsOperator("/") || Now().IsOperator("//") ||
         Now().IsOperator("%")) {
    const Token op = Now();
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr right, Power());
    STEER_ASSIGN_OR_RETURN(
        left, Join(ExprKind::kBinary, op.text, std::move(left), std::move(right), op.line));
  }
  return left;
}

Parser::ExprOr Parser::Power() {
  STEER_ASSIGN_OR_RETURN(ExprPtr left, Unary(true));
  while (Now().IsOperator("**")) {
    const int line = Now().line;
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr right, Unary(true));
    STEER_ASSIGN_OR_RETURN(left,
                           Join(ExprKind::kBinary, "**", std::move(left), std::move(right), line));
  }
  return left;
}

Parser::ExprOr Parser::Unary(bool with_filter) {
  if (++depth_ > kMaxParseDepth) {
    return SyntaxError(Now().line, absl::StrCat("nested deeper than ", kMaxParseDepth));
  }
  absl::Cleanup leave = [this] { --depth_; };
  ExprPtr node;
  if (Now().IsOperator("-") || Now().IsOperator("+")) {
    ExprPtr sign = Make(Now().text == "-" ? ExprKind::kNegate : ExprKind::kPlus, Now().line);
    Skip();
    STEER_ASSIGN_OR_RETURN(ExprPtr operand, Unary(false));
    sign->args.push_back(std::move(operand));
    STEER_ASSIGN_OR_RETURN(node, Finish(std::move(sign)));
  } else {
    STEER_ASSIGN_OR_RETURN(node, Primary());
  }
  STEER_ASSIGN_OR_RETURN(node, Postfix(std::move(node)));
  if (!with_filter) return node;
  return FiltersAndTests(std::move(node));
}

Parser::ExprOr Parser::NameOrConstant() {
  const Token token = Now();
  Skip();
  if (token.text == "true" || token.text == "True") return MakeConst(token.line, Value::Bool(true));
  if (token.text == "false" || token.text == "False")
    return MakeConst(token.line, Value::Bool(false));
  if (token.text == "none" || token.text == "None") return MakeConst(token.line, Value::None());
  return Make(ExprKind::kName, token.line, token.text);
}

Parser::ExprOr Parser::Primary() {
  const Token token = Now();
  switch (token.kind) {
    case TokenKind::kName:
      return NameOrConstant();
    case TokenKind::kString: {
      std::string text;
      while (Now().kind == TokenKind::kString) {
        text += Now().text;
        Skip();
      }
      return MakeConst(token.line, Value::String(std::move(text)));
    }
    case TokenKind::kInteger: {
      int64_t value = 0;
      auto [end, error] =
          std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
      if (error != std::errc())
        return SyntaxError(token.line, "an integer beyond 64 bits is not built");
      Skip();
      return MakeConst(token.line, Value::Int(value));
    }
    case TokenKind::kFloat:
      Skip();
      return MakeConst(token.line, Value::Float(std::strtod(token.text.c_str(), nullptr)));
    default:
      break;
  }
  if (SkipIfOperator("(")) {
    STEER_ASSIGN_OR_RETURN(ExprPtr node, TupleOrExpression(true, /*parenthesized=*/true));
    STEER_RETURN_IF_ERROR(ExpectOperator(")"));
    return node;
  }
  if (token.IsOperator("[")) return ListLiteral();
  if (token.IsOperator("{")) return DictLiteral();
  return Unexpected("an expression");
}

bool Parser::AtTupleEnd() const {
  return Now().kind == TokenKind::kVariableEnd || Now().kind == TokenKind::kBlockEnd ||
         Now().IsOperator(")");
}

Parser::ExprOr Parser::TupleOrExpression(bool conditions, bool parenthesized) {
  ExprPtr tuple = Make(ExprKind::kTuple, Now().line);
  bool is_tuple = false;
  while (!AtTupleEnd()) {
    STEER_ASSIGN_OR_RETURN(ExprPtr item, conditions ? Condition() : Or());
    tuple->args.push_back(std::move(item));
    if (!Now().IsOperator(",")) break;
    is_tuple = true;
    Skip();
  }
  if (!is_tuple) {
    if (!tuple->args.empty()) return std::move(tuple->args[0]);
    if (!parenthesized) return Unexpected("an expression");
  }
  return Finish(std::move(tuple));
}

Parser::ExprOr Parser::ListLiteral() {
  ExprPtr list = Make(ExprKind::kList, Now().line);
  Skip();
  while (!Now().IsOperator("]")) {
    STEER_ASSIGN_OR_RETURN(ExprPtr item, Expression());
    list->args.push_back(std::move(item));
    if (!SkipIfOperator(",")) break;
  }
  STEER_RETURN_IF_ERROR(ExpectOperator("]"));
  return Finish(std::move(list));
}

Parser::ExprOr Parser::DictLiteral() {
  ExprPtr dict = Make(ExprKind::kDict, Now().line);
  Skip();
  while (!Now().IsOperator("}")) {
    STEER_ASSIGN_OR_RETURN(ExprPtr key, Expression());
    STEER_RETURN_IF_ERROR(ExpectOperator(":"));
    STEER_ASSIGN_OR_RETURN(ExprPtr value, Expression());
    dict->args.push_back(std::move(key));
    dict->args.push_back(std::move(value));
    if (!SkipIfOperator(",")) break;
  }
  STEER_RETURN_IF_ERROR(ExpectOperator("}"));
  return Finish(std::move(dict));
}

}  // namespace steer::jinja
