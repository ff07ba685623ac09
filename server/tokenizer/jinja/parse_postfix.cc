// What follows a primary expression: attributes, items, calls, filters, tests.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/parser.h"

namespace steer::jinja {
namespace {

ExprPtr MakeOn(ExprKind kind, int line, std::string text, ExprPtr operand) {
  auto node = std::make_unique<Expr>();
  node->kind = kind;
  node->line = line;
  node->text = std::move(text);
  node->args.push_back(std::move(operand));
  return node;
}

}  // namespace

Parser::ExprOr Parser::Postfix(ExprPtr node) {
  while (true) {
    if (Now().IsOperator(".") || Now().IsOperator("[")) {
      STEER_ASSIGN_OR_RETURN(node, Subscript(std::move(node)));
    } else if (Now().IsOperator("(")) {
      ExprPtr call = MakeOn(ExprKind::kCall, Now().line, "", std::move(node));
      STEER_RETURN_IF_ERROR(Arguments(call.get()));
      STEER_ASSIGN_OR_RETURN(node, Finish(std::move(call)));
    } else {
      return node;
    }
  }
}

Parser::ExprOr Parser::FiltersAndTests(ExprPtr node) {
  while (true) {
    if (SkipIfOperator("|")) {
      STEER_ASSIGN_OR_RETURN(node, Filter(std::move(node)));
    } else if (Now().IsName("is")) {
      STEER_ASSIGN_OR_RETURN(node, Test(std::move(node)));
    } else if (Now().IsOperator("(")) {
      ExprPtr call = MakeOn(ExprKind::kCall, Now().line, "", std::move(node));
      STEER_RETURN_IF_ERROR(Arguments(call.get()));
      STEER_ASSIGN_OR_RETURN(node, Finish(std::move(call)));
    } else {
      return node;
    }
  }
}

Parser::ExprOr Parser::Subscript(ExprPtr node) {
  const int line = Now().line;
  if (SkipIfOperator(".")) {
    const Token name = Now();
    if (name.kind == TokenKind::kName) {
      Skip();
      return Finish(MakeOn(ExprKind::kAttribute, line, name.text, std::move(node)));
    }
    if (name.kind != TokenKind::kInteger) return Unexpected("a name or a number after '.'");
    ExprPtr item = MakeOn(ExprKind::kItem, line, "", std::move(node));
    STEER_ASSIGN_OR_RETURN(ExprPtr index, Primary());
    item->args.push_back(std::move(index));
    return Finish(std::move(item));
  }
  Skip();  // [
  STEER_ASSIGN_OR_RETURN(ExprPtr item, Item());
  if (Now().IsOperator(",")) {
    // x[1, 2] looks a tuple up.
    ExprPtr tuple = MakeOn(ExprKind::kTuple, line, "", std::move(item));
    while (SkipIfOperator(",")) {
      if (Now().IsOperator("]")) return Unexpected("an expression");
      STEER_ASSIGN_OR_RETURN(ExprPtr next, Item());
      tuple->args.push_back(std::move(next));
    }
    for (const ExprPtr& part : tuple->args) {
      if (part->kind == ExprKind::kSlice)
        return SyntaxError(line, "a tuple of slices is not built");
    }
    STEER_ASSIGN_OR_RETURN(item, Finish(std::move(tuple)));
  }
  STEER_RETURN_IF_ERROR(ExpectOperator("]"));
  if (item->kind == ExprKind::kSlice) {
    item->args.insert(item->args.begin(), std::move(node));
    return Finish(std::move(item));
  }
  ExprPtr result = MakeOn(ExprKind::kItem, line, "", std::move(node));
  result->args.push_back(std::move(item));
  return Finish(std::move(result));
}

// An expression, or a slice whose first argument the caller adds.
Parser::ExprOr Parser::Item() {
  auto slice = std::make_unique<Expr>();
  slice->kind = ExprKind::kSlice;
  slice->line = Now().line;
  ExprPtr first;
  if (!Now().IsOperator(":")) {
    STEER_ASSIGN_OR_RETURN(first, Expression());
    if (!Now().IsOperator(":")) return first;
  }
  slice->args.push_back(std::move(first));
  for (int part = 0; part < 2; ++part) {
    ExprPtr bound;
    if (SkipIfOperator(":") && !Now().IsOperator(":") && !Now().IsOperator("]") &&
        !Now().IsOperator(",")) {
      STEER_ASSIGN_OR_RETURN(bound, Expression());
    }
    slice->args.push_back(std::move(bound));
  }
  return Finish(std::move(slice));
}

absl::Status Parser::Arguments(Expr* call) {
  const int line = Now().line;
  Skip();  // (
  while (!Now().IsOperator(")")) {
    if (Now().IsOperator("*") || Now().IsOperator("**")) {
      return SyntaxError(line, absl::StrCat("'", Now().text, "' before an argument is not built"));
    }
    if (Now().kind == TokenKind::kName && Next().IsOperator("=")) {
      std::string name = Now().text;
      for (const auto& named : call->named) {
        if (named.first == name) {
          return SyntaxError(line, absl::StrCat("the argument '", name, "' is given twice"));
        }
      }
      Skip();
      Skip();
      STEER_ASSIGN_OR_RETURN(ExprPtr value, Expression());
      call->named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call->named.empty()) {
        return SyntaxError(line, "an argument without a name follows one with a name");
      }
      STEER_ASSIGN_OR_RETURN(ExprPtr value, Expression());
      call->args.push_back(std::move(value));
    }
    if (!SkipIfOperator(",")) break;
  }
  return ExpectOperator(")");
}

absl::StatusOr<std::string> Parser::DottedName() {
  STEER_ASSIGN_OR_RETURN(std::string name, ExpectAnyName());
  while (SkipIfOperator(".")) {
    STEER_ASSIGN_OR_RETURN(std::string part, ExpectAnyName());
    absl::StrAppend(&name, ".", part);
  }
  return name;
}

Parser::ExprOr Parser::Filter(ExprPtr node) {
  const int line = Now().line;
  STEER_ASSIGN_OR_RETURN(std::string name, DottedName());
  ExprPtr filter = MakeOn(ExprKind::kFilter, line, std::move(name), std::move(node));
  if (Now().IsOperator("(")) STEER_RETURN_IF_ERROR(Arguments(filter.get()));
  return Finish(std::move(filter));
}

Parser::ExprOr Parser::Test(ExprPtr node) {
  const int line = Now().line;
  Skip();  // is
  const bool negated = SkipIfName("not");
  STEER_ASSIGN_OR_RETURN(std::string name, DottedName());
  ExprPtr test = MakeOn(ExprKind::kTest, line, std::move(name), std::move(node));
  const Token& now = Now();
  if (now.IsOperator("(")) {
    STEER_RETURN_IF_ERROR(Arguments(test.get()));
  } else if (now.IsName("is")) {
    return SyntaxError(line, "tests cannot be chained with 'is'");
  } else if ((now.kind == TokenKind::kName && !now.IsName("else") && !now.IsName("or") &&
              !now.IsName("and")) ||
             now.kind == TokenKind::kString || now.kind == TokenKind::kInteger ||
             now.kind == TokenKind::kFloat || now.IsOperator("[") || now.IsOperator("{")) {
    STEER_ASSIGN_OR_RETURN(ExprPtr argument, Primary());
    STEER_ASSIGN_OR_RETURN(argument, Postfix(std::move(argument)));
    test->args.push_back(std::move(argument));
  }
  STEER_ASSIGN_OR_RETURN(ExprPtr result, Finish(std::move(test)));
  if (!negated) return result;
  return Finish(MakeOn(ExprKind::kNot, line, "", std::move(result)));
}

}  // namespace steer::jinja
