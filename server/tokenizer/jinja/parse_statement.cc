#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/parser.h"

namespace steer::jinja {
namespace {

std::unique_ptr<Statement> Make(StatementKind kind, int line) {
  auto node = std::make_unique<Statement>();
  node->kind = kind;
  node->line = line;
  return node;
}

}  // namespace

bool Parser::SkipIfName(absl::string_view name) {
  if (!Now().IsName(name)) return false;
  Skip();
  return true;
}

bool Parser::SkipIfOperator(absl::string_view op) {
  if (!Now().IsOperator(op)) return false;
  Skip();
  return true;
}

absl::Status Parser::Unexpected(absl::string_view wanted) const {
  return SyntaxError(Now().line, absl::StrCat("expected ", wanted, ", got ", Describe(Now())));
}

absl::Status Parser::ExpectOperator(absl::string_view op) {
  return SkipIfOperator(op) ? absl::OkStatus() : Unexpected(absl::StrCat("'", op, "'"));
}

absl::Status Parser::ExpectName(absl::string_view name) {
  return SkipIfName(name) ? absl::OkStatus() : Unexpected(absl::StrCat("'", name, "'"));
}

absl::StatusOr<std::string> Parser::ExpectAnyName() {
  if (Now().kind != TokenKind::kName) return Unexpected("a name");
  std::string name = Now().text;
  Skip();
  return name;
}

absl::StatusOr<Body> Parser::Template() { return Statements({}); }

// Up to a tag in `end_names`, which is left current; up to the end of the template if there are
// none.
absl::StatusOr<Body> Parser::Statements(std::vector<absl::string_view> end_names) {
  if (++depth_ > kMaxParseDepth) {
    return SyntaxError(Now().line, absl::StrCat("nested deeper than ", kMaxParseDepth));
  }
  absl::Cleanup leave = [this] { --depth_; };
  Body body;
  while (true) {
    const Token& token = Now();
    if (token.kind == TokenKind::kEnd) {
      if (end_names.empty()) return body;
      return SyntaxError(token.line, absl::StrCat("the template ends, but a block needs {% ",
                                                  absl::StrJoin(end_names, " %} or {% "), " %}"));
    }
    if (token.kind == TokenKind::kData) {
      body.push_back(Make(StatementKind::kData, token.line));
      body.back()->text = token.text;
      Skip();
    } else if (token.kind == TokenKind::kVariableBegin) {
      body.push_back(Make(StatementKind::kPrint, token.line));
      Skip();
      STEER_ASSIGN_OR_RETURN(ExprPtr value, TupleOrExpression(true, false));
      body.back()->exprs.push_back(std::move(value));
      if (Now().kind != TokenKind::kVariableEnd) return Unexpected("'}}'");
      Skip();
    } else {
      Skip();  // {%
      for (absl::string_view name : end_names) {
        if (Now().IsName(name)) return body;
      }
      STEER_ASSIGN_OR_RETURN(auto statement, OneStatement());
      body.push_back(std::move(statement));
      if (Now().kind != TokenKind::kBlockEnd) return Unexpected("'%}'");
      Skip();
    }
  }
}

// "%} body {% end": the end's name is left current.
absl::StatusOr<Body> Parser::Block(std::vector<absl::string_view> end_names) {
  SkipIfOperator(":");
  if (Now().kind != TokenKind::kBlockEnd) return Unexpected("'%}'");
  Skip();
  return Statements(std::move(end_names));
}

absl::StatusOr<Body> Parser::LastBlock(absl::string_view end_name) {
  STEER_ASSIGN_OR_RETURN(Body body, Block({end_name}));
  Skip();
  return body;
}

Parser::StatementOr Parser::OneStatement() {
  if (Now().kind != TokenKind::kName) return Unexpected("the name of a tag");
  const Token tag = Now();
  static constexpr struct {
    absl::string_view name;
    StatementOr (Parser::*parse)();
  } kTags[] = {
      {"for", &Parser::For},
      {"if", &Parser::If},
      {"set", &Parser::Set},
      {"macro", &Parser::Macro},
      {"call", &Parser::CallBlock},
      {"filter", &Parser::FilterBlock},
      {"with", &Parser::With},
      {"print", &Parser::Print},
      {"break", &Parser::LoopControl},
      {"continue", &Parser::LoopControl},
      {"generation", &Parser::Generation},
  };
  for (const auto& entry : kTags) {
    if (tag.text == entry.name) return (this->*entry.parse)();
  }
  return SyntaxError(tag.line,
                     absl::StrCat("the tag '", tag.text, "' is not built or out of place"));
}

Parser::StatementOr Parser::For() {
  auto node = Make(StatementKind::kFor, Now().line);
  Skip();
  STEER_ASSIGN_OR_RETURN(Target target, AssignTarget(false));
  node->targets.push_back(std::move(target));
  STEER_RETURN_IF_ERROR(ExpectName("in"));
  STEER_ASSIGN_OR_RETURN(ExprPtr source, TupleOrExpression(false, false));
  node->exprs.push_back(std::move(source));
  ExprPtr filter;
  if (SkipIfName("if")) {
    STEER_ASSIGN_OR_RETURN(filter, Expression());
  }
  node->exprs.push_back(std::move(filter));
  if (Now().IsName("recursive")) return SyntaxError(node->line, "'recursive' loops are not built");
  ++loops_;
  STEER_ASSIGN_OR_RETURN(Body body, Block({"endfor", "else"}));
  --loops_;
  node->bodies.push_back(std::move(body));
  node->bodies.emplace_back();
  const bool has_else = Now().IsName("else");
  Skip();
  if (has_else) {
    STEER_ASSIGN_OR_RETURN(node->bodies[1], LastBlock("endfor"));
  }
  return node;
}

Parser::StatementOr Parser::If() {
  auto node = Make(StatementKind::kIf, Now().line);
  while (true) {
    Skip();  // if or elif
    STEER_ASSIGN_OR_RETURN(ExprPtr test, TupleOrExpression(false, false));
    node->exprs.push_back(std::move(test));
    STEER_ASSIGN_OR_RETURN(Body body, Block({"elif", "else", "endif"}));
    node->bodies.push_back(std::move(body));
    if (Now().IsName("elif")) continue;
    const bool has_else = Now().IsName("else");
    Skip();
    if (has_else) {
      STEER_ASSIGN_OR_RETURN(Body otherwise, LastBlock("endif"));
      node->bodies.push_back(std::move(otherwise));
    }
    return node;
  }
}

absl::StatusOr<Target> Parser::OneTarget(bool namespaces) {
  Target target;
  target.line = Now().line;
  if (SkipIfOperator("(")) {
    STEER_ASSIGN_OR_RETURN(target, AssignTarget(namespaces));
    STEER_RETURN_IF_ERROR(ExpectOperator(")"));
    return target;
  }
  STEER_ASSIGN_OR_RETURN(target.name, ExpectAnyName());
  for (absl::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (target.name == constant)
      return SyntaxError(target.line, absl::StrCat("cannot assign to '", constant, "'"));
  }
  if (target.name == "loop") return SyntaxError(target.line, "cannot assign to 'loop'");
  if (namespaces && SkipIfOperator(".")) {
    STEER_ASSIGN_OR_RETURN(target.attribute, ExpectAnyName());
  }
  return target;
}

absl::StatusOr<Target> Parser::AssignTarget(bool namespaces) {
  if (++depth_ > kMaxParseDepth) {
    return SyntaxError(Now().line, absl::StrCat("nested deeper than ", kMaxParseDepth));
  }
  absl::Cleanup leave = [this] { --depth_; };
  Target tuple;
  tuple.line = Now().line;
  while (!AtTupleEnd()) {
    STEER_ASSIGN_OR_RETURN(Target item, OneTarget(namespaces));
    tuple.items.push_back(std::move(item));
    if (!SkipIfOperator(",")) break;
    tuple.is_tuple = true;
  }
  if (tuple.is_tuple) return tuple;
  if (tuple.items.empty()) return Unexpected("a name to assign to");
  return Target(std::move(tuple.items[0]));
}

Parser::StatementOr Parser::Set() {
  auto node = Make(StatementKind::kSet, Now().line);
  Skip();
  STEER_ASSIGN_OR_RETURN(Target target, AssignTarget(true));
  node->targets.push_back(std::move(target));
  if (SkipIfOperator("=")) {
    STEER_ASSIGN_OR_RETURN(ExprPtr value, TupleOrExpression(true, false));
    node->exprs.push_back(std::move(value));
    return node;
  }
  node->kind = StatementKind::kSetBlock;
  ExprPtr filter;
  while (SkipIfOperator("|")) {
    STEER_ASSIGN_OR_RETURN(filter, Filter(std::move(filter)));
  }
  node->exprs.push_back(std::move(filter));
  STEER_ASSIGN_OR_RETURN(Body body, LastBlock("endset"));
  node->bodies.push_back(std::move(body));
  return node;
}

absl::Status Parser::Signature(MacroDefinition* macro) {
  STEER_RETURN_IF_ERROR(ExpectOperator("("));
  while (!Now().IsOperator(")")) {
    Parameter parameter;
    const int line = Now().line;
    STEER_ASSIGN_OR_RETURN(parameter.name, ExpectAnyName());
    for (const Parameter& other : macro->parameters) {
      if (other.name == parameter.name) {
        return SyntaxError(line,
                           absl::StrCat("the parameter '", parameter.name, "' is named twice"));
      }
    }
    if (parameter.name == "caller")
      return SyntaxError(line, "a parameter named 'caller' is not built");
    if (SkipIfOperator("=")) {
      STEER_ASSIGN_OR_RETURN(parameter.default_value, Expression());
    } else if (!macro->parameters.empty() && macro->parameters.back().default_value != nullptr) {
      return SyntaxError(line, "a parameter without a default follows one with a default");
    }
    macro->parameters.push_back(std::move(parameter));
    if (!SkipIfOperator(",")) break;
  }
  return ExpectOperator(")");
}

Parser::StatementOr Parser::Macro() {
  auto node = Make(StatementKind::kMacro, Now().line);
  Skip();
  STEER_ASSIGN_OR_RETURN(node->macro.name, ExpectAnyName());
  STEER_RETURN_IF_ERROR(Signature(&node->macro));
  const int outer_loops = std::exchange(loops_, 0);
  STEER_ASSIGN_OR_RETURN(Body body, LastBlock("endmacro"));
  loops_ = outer_loops;
  node->bodies.push_back(std::move(body));
  node->macro.body = &node->bodies[0];
  return node;
}

Parser::StatementOr Parser::CallBlock() {
  auto node = Make(StatementKind::kCallBlock, Now().line);
  Skip();
  node->macro.name = "caller";
  if (Now().IsOperator("(")) STEER_RETURN_IF_ERROR(Signature(&node->macro));
  STEER_ASSIGN_OR_RETURN(ExprPtr call, Expression());
  if (call->kind != ExprKind::kCall) return SyntaxError(node->line, "the tag 'call' needs a call");
  node->exprs.push_back(std::move(call));
  const int outer_loops = std::exchange(loops_, 0);
  STEER_ASSIGN_OR_RETURN(Body body, LastBlock("endcall"));
  loops_ = outer_loops;
  node->bodies.push_back(std::move(body));
  node->macro.body = &node->bodies[0];
  return node;
}

Parser::StatementOr Parser::FilterBlock() {
  auto node = Make(StatementKind::kFilterBlock, Now().line);
  Skip();
  STEER_ASSIGN_OR_RETURN(ExprPtr filter, Filter(nullptr));
  while (SkipIfOperator("|")) {
    STEER_ASSIGN_OR_RETURN(filter, Filter(std::move(filter)));
  }
  node->exprs.push_back(std::move(filter));
  STEER_ASSIGN_OR_RETURN(Body body, LastBlock("endfilter"));
  node->bodies.push_back(std::move(body));
  return node;
}

Parser::StatementOr Parser::With() {
  auto node = Make(StatementKind::kWith, Now().line);
  Skip();
  while (Now().kind != TokenKind::kBlockEnd) {
    STEER_ASSIGN_OR_RETURN(Target target, OneTarget(false));
    node->targets.push_back(std::move(target));
    STEER_RETURN_IF_ERROR(ExpectOperator("="));
    STEER_ASSIGN_OR_RETURN(ExprPtr value, Expression());
    node->exprs.push_back(std::move(value));
    if (!SkipIfOperator(",")) break;
  }
  STEER_ASSIGN_OR_RETURN(Body body, LastBlock("endwith"));
  node->bodies.push_back(std::move(body));
  return node;
}

Parser::StatementOr Parser::Print() {
  auto node = Make(StatementKind::kPrint, Now().line);
  Skip();
  while (Now().kind != TokenKind::kBlockEnd) {
    STEER_ASSIGN_OR_RETURN(ExprPtr value, Expression());
    node->exprs.push_back(std::move(value));
    if (!SkipIfOperator(",")) break;
  }
  return node;
}

Parser::StatementOr Parser::Generation() {
  auto node = Make(StatementKind::kGeneration, Now().line);
  Skip();
  const int outer_loops = std::exchange(loops_, 0);
  STEER_ASSIGN_OR_RETURN(Body body, LastBlock("endgeneration"));
  loops_ = outer_loops;
  node->bodies.push_back(std::move(body));
  return node;
}

Parser::StatementOr Parser::LoopControl() {
  const Token tag = Now();
  if (loops_ == 0) return SyntaxError(tag.line, absl::StrCat("'", tag.text, "' outside a loop"));
  Skip();
  return Make(tag.text == "break" ? StatementKind::kBreak : StatementKind::kContinue, tag.line);
}

absl::StatusOr<Body> Parse(std::vector<Token> tokens) {
  return Parser(std::move(tokens)).Template();
}

}  // namespace steer::jinja
