#include "server/tokenizer/jinja/check.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/tokenizer/jinja/filters.h"
#include "server/tokenizer/jinja/functions.h"
#include "server/tokenizer/jinja/lexer.h"
#include "server/tokenizer/jinja/methods.h"

namespace steer::jinja {
namespace {

using ExprVisitor = std::function<void(const Expr&)>;
using StatementVisitor = std::function<void(Statement&)>;

void Visit(const Expr& expr, const ExprVisitor& visit) {
  visit(expr);
  for (const ExprPtr& arg : expr.args) {
    if (arg != nullptr) Visit(*arg, visit);
  }
  for (const auto& named : expr.named) Visit(*named.second, visit);
}

void Visit(Body& body, const StatementVisitor& on_statement, const ExprVisitor& on_expr) {
  for (auto& statement : body) {
    on_statement(*statement);
    for (const ExprPtr& expr : statement->exprs) {
      if (expr != nullptr) Visit(*expr, on_expr);
    }
    for (const Parameter& parameter : statement->macro.parameters) {
      if (parameter.default_value != nullptr) Visit(*parameter.default_value, on_expr);
    }
    for (Body& inner : statement->bodies) Visit(inner, on_statement, on_expr);
  }
}

absl::Status NotBuilt(const Expr& expr, absl::string_view kind, absl::string_view name) {
  return SyntaxError(expr.line, absl::StrCat("the ", kind, " '", name, "' is not built"));
}

// Variables that transformers or jinja2 would define and that no rendering here does: reading them
// would print nothing.
bool IsUnprovided(absl::string_view name) {
  static constexpr absl::string_view kNames[] = {
      "unk_token", "pad_token", "sep_token", "cls_token", "mask_token", "additional_special_tokens",
      "lipsum",    "cycler",    "joiner",    "self",      "super"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

class Checker {
 public:
  absl::Status Run(Body& body) {
    // What the template itself defines comes first, for a macro may be called above its definition.
    Visit(
        body, [this](Statement& s) { Define(s); },
        [this](const Expr& e) {
          if (e.kind == ExprKind::kCall && e.args[0]->kind == ExprKind::kName &&
              e.args[0]->text == "namespace") {
            for (const auto& named : e.named) attributes_.insert(named.first);
          }
        });
    absl::Status first;
    Visit(
        body, [](Statement&) {}, [&](const Expr& e) { first.Update(CheckExpr(e)); });
    Visit(
        body,
        [](Statement& s) {
          if (s.macro.body == nullptr) return;
          Visit(
              *s.macro.body, [](Statement&) {},
              [&](const Expr& e) {
                if (e.kind != ExprKind::kName) return;
                s.macro.takes_caller |= e.text == "caller";
                s.macro.takes_varargs |= e.text == "varargs";
                s.macro.takes_kwargs |= e.text == "kwargs";
              });
        },
        [](const Expr&) {});
    return first;
  }

 private:
  void Define(const Target& target) {
    if (target.is_tuple) {
      for (const Target& item : target.items) Define(item);
    } else if (!target.attribute.empty()) {
      attributes_.insert(target.attribute);
    } else {
      names_.insert(target.name);
    }
  }
  void Define(const Statement& statement) {
    for (const Target& target : statement.targets) Define(target);
    if (statement.kind == StatementKind::kMacro) names_.insert(statement.macro.name);
    for (const Parameter& parameter : statement.macro.parameters) names_.insert(parameter.name);
  }

  absl::Status CheckExpr(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kName:
        if (IsUnprovided(expr.text) && names_.count(expr.text) == 0)
          return NotBuilt(expr, "variable", expr.text);
        return absl::OkStatus();
      case ExprKind::kAttribute:
        if (absl::StartsWith(expr.text, "__")) return NotBuilt(expr, "attribute", expr.text);
        return absl::OkStatus();
      case ExprKind::kBinary:
        if (expr.text == "%" && expr.args[0]->kind == ExprKind::kConst &&
            expr.args[0]->constant.is_string()) {
          return NotBuilt(expr, "formatting operator", "%");
        }
        return absl::OkStatus();
      case ExprKind::kCall:
        return CheckCall(expr);
      case ExprKind::kFilter:
        return CheckFilter(expr);
      case ExprKind::kTest: {
        const Test* test = FindTest(expr.text);
        if (test == nullptr) return NotBuilt(expr, "test", expr.text);
        return CheckArguments(expr, "test", test->signature, 1);
      }
      default:
        return absl::OkStatus();
    }
  }

  absl::Status CheckArguments(const Expr& expr, absl::string_view kind, const Signature& signature,
                              size_t skipped) {
    CallShape shape;
    shape.positional = expr.args.size() - skipped;
    for (const auto& named : expr.named) shape.named.push_back(named.first);
    absl::Status status = CheckShape(signature, shape);
    if (!status.ok())
      return SyntaxError(expr.line, absl::StrCat("the ", kind, " ", status.message()));
    return absl::OkStatus();
  }

  absl::Status CheckCall(const Expr& expr) {
    const Expr& callee = *expr.args[0];
    std::string method;
    if (callee.kind == ExprKind::kName) {
      if (names_.count(callee.text) != 0 || callee.text == "caller") return absl::OkStatus();
      // Deliberately undefined; templates ask "is defined" before they call it.
      if (callee.text == "strftime_now") return absl::OkStatus();
      const Signature* signature = FindFunction(callee.text);
      if (signature == nullptr) return NotBuilt(callee, "function", callee.text);
      return CheckArguments(expr, "function", *signature, 1);
    }
    if (callee.kind == ExprKind::kAttribute) {
      method = callee.text;
    } else if (callee.kind == ExprKind::kItem && callee.args[1]->kind == ExprKind::kConst &&
               callee.args[1]->constant.is_string()) {
      method = callee.args[1]->constant.text();
    } else {
      return SyntaxError(expr.line, "a call of a computed value is not built");
    }
    if (IsMethodName(method) || attributes_.count(method) != 0) return absl::OkStatus();
    return NotBuilt(callee, "method", method);
  }

  // The filter or test that the i-th argument names, for filters that apply one.
  absl::Status CheckNamed(const Expr& expr, size_t i, bool is_test) {
    if (expr.args.size() <= i) return absl::OkStatus();
    if (expr.args[i]->kind != ExprKind::kConst || !expr.args[i]->constant.is_string()) {
      return SyntaxError(
          expr.line, absl::StrCat("a computed name in the filter '", expr.text, "' is not built"));
    }
    const std::string& name = expr.args[i]->constant.text();
    if (is_test ? FindTest(name) == nullptr : FindFilter(name) == nullptr) {
      return NotBuilt(expr, is_test ? "test" : "filter", name);
    }
    return absl::OkStatus();
  }

  absl::Status CheckFilter(const Expr& expr) {
    const Filter* filter = FindFilter(expr.text);
    if (filter == nullptr) return NotBuilt(expr, "filter", expr.text);
    if (expr.text == "map") return CheckNamed(expr, 1, false);
    if (expr.text == "select" || expr.text == "reject") return CheckNamed(expr, 1, true);
    if (expr.text == "selectattr" || expr.text == "rejectattr") return CheckNamed(expr, 2, true);
    return CheckArguments(expr, "filter", filter->signature, 1);
  }

  std::set<std::string> names_;       // that some statement assigns
  std::set<std::string> attributes_;  // of namespaces, which may hold macros
};

}  // namespace

absl::Status Check(Body& body) { return Checker().Run(body); }

}  // namespace steer::jinja
