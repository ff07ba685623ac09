#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/filters.h"
#include "server/tokenizer/jinja/functions.h"
#include "server/tokenizer/jinja/interpreter.h"
#include "server/tokenizer/jinja/methods.h"
#include "server/tokenizer/jinja/operators.h"
#include "server/tokenizer/jinja/print.h"

namespace steer::jinja {

Interpreter::ValueOr Interpreter::Eval(const Expr& expr, Scope* scope) {
  STEER_RETURN_IF_ERROR(runtime_.budget.Step());
  DepthGuard guard(runtime_.budget);
  STEER_RETURN_IF_ERROR(guard.status());
  switch (expr.kind) {
    case ExprKind::kConst:
      return expr.constant;
    case ExprKind::kName:
      return Name(expr, scope);
    case ExprKind::kTuple:
    case ExprKind::kList:
      return Sequence(expr, scope);
    case ExprKind::kDict:
      return Dict(expr, scope);
    case ExprKind::kAttribute: {
      STEER_ASSIGN_OR_RETURN(Value value, Eval(*expr.args[0], scope));
      return GetAttribute(value, expr.text, runtime_.budget);
    }
    case ExprKind::kSlice:
      return SliceOf(expr, scope);
    case ExprKind::kCall:
      return Call(expr, scope, nullptr);
    case ExprKind::kFilter:
      return FilterOn(expr, scope, nullptr);
    case ExprKind::kTest:
      return TestOn(expr, scope);
    case ExprKind::kCompare:
      return Compare(expr, scope);
    case ExprKind::kConcat:
      return Concat(expr, scope);
    case ExprKind::kCondition:
      return Condition(expr, scope);
    default:
      return Logic(expr, scope);
  }
}

Interpreter::ValueOr Interpreter::Name(const Expr& expr, Scope* scope) {
  STEER_ASSIGN_OR_RETURN(const Value* value, Find(expr.text, scope));
  if (value != nullptr) return *value;
  if (FindFunction(expr.text) != nullptr) {
    auto function = std::make_shared<CallableObject>();
    function->kind = CallableKind::kGlobal;
    function->name = expr.text;
    return Value::FromObject(Kind::kCallable, std::move(function));
  }
  return Value::Undefined(absl::StrCat("'", expr.text, "' is undefined"));
}

Interpreter::ValueOr Interpreter::Sequence(const Expr& expr, Scope* scope) {
  Items items;
  for (const ExprPtr& arg : expr.args) {
    STEER_ASSIGN_OR_RETURN(Value item, Eval(*arg, scope));
    items.push_back(std::move(item));
  }
  STEER_RETURN_IF_ERROR(runtime_.budget.Bytes(items.size() * sizeof(Value)));
  return expr.kind == ExprKind::kList ? Value::List(std::move(items))
                                      : Value::Tuple(std::move(items));
}

Interpreter::ValueOr Interpreter::Dict(const Expr& expr, Scope* scope) {
  DictItems items;
  for (size_t i = 0; i < expr.args.size(); i += 2) {
    STEER_ASSIGN_OR_RETURN(Value key, Eval(*expr.args[i], scope));
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*expr.args[i + 1], scope));
    STEER_RETURN_IF_ERROR(InsertKey(items, key, value, runtime_.budget));
  }
  STEER_RETURN_IF_ERROR(runtime_.budget.Bytes(items.size() * 2 * sizeof(Value)));
  return Value::Dict(std::move(items));
}

Interpreter::ValueOr Interpreter::SliceOf(const Expr& expr, Scope* scope) {
  Value parts[4] = {Value::None(), Value::None(), Value::None(), Value::None()};
  for (size_t i = 0; i < 4; ++i) {
    if (expr.args[i] == nullptr) continue;
    STEER_ASSIGN_OR_RETURN(parts[i], Eval(*expr.args[i], scope));
  }
  return Slice(parts[0], parts[1], parts[2], parts[3], runtime_.budget);
}

Interpreter::ValueOr Interpreter::Compare(const Expr& expr, Scope* scope) {
  STEER_ASSIGN_OR_RETURN(Value left, Eval(*expr.args[0], scope));
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(Value right, Eval(*expr.args[i + 1], scope));
    STEER_ASSIGN_OR_RETURN(bool holds,
                           CompareValues(expr.operators[i], left, right, runtime_.budget));
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

// Operators of one or two operands.
Interpreter::ValueOr Interpreter::Logic(const Expr& expr, Scope* scope) {
  STEER_ASSIGN_OR_RETURN(Value left, Eval(*expr.args[0], scope));
  switch (expr.kind) {
    case ExprKind::kNot:
      return Value::Bool(!IsTrue(left));
    case ExprKind::kNegate:
      return Negate(left);
    case ExprKind::kPlus:
      if (left.is_undefined()) return UndefinedError(left);
      if (left.is(Kind::kFloat)) return left;
      if (left.is_integral()) return Value::Int(left.integer());
      return Fail(absl::StrCat("bad operand type for unary +: '", TypeName(left), "'"));
    case ExprKind::kAnd:
      if (!IsTrue(left)) return left;
      return Eval(*expr.args[1], scope);
    case ExprKind::kOr:
      if (IsTrue(left)) return left;
      return Eval(*expr.args[1], scope);
    default:
      break;
  }
  STEER_ASSIGN_OR_RETURN(Value right, Eval(*expr.args[1], scope));
  if (expr.kind == ExprKind::kItem) return GetItem(left, right, runtime_.budget);
  return Binary(expr.text, left, right, runtime_.budget);
}

Interpreter::ValueOr Interpreter::Concat(const Expr& expr, Scope* scope) {
  std::string out;
  for (const ExprPtr& arg : expr.args) {
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*arg, scope));
    STEER_ASSIGN_OR_RETURN(std::string text, Str(value, runtime_.budget));
    out.append(text);
  }
  STEER_RETURN_IF_ERROR(runtime_.budget.Bytes(out.size()));
  return Value::String(std::move(out));
}

Interpreter::ValueOr Interpreter::Condition(const Expr& expr, Scope* scope) {
  STEER_ASSIGN_OR_RETURN(Value test, Eval(*expr.args[0], scope));
  if (IsTrue(test)) return Eval(*expr.args[1], scope);
  if (expr.args[2] != nullptr) return Eval(*expr.args[2], scope);
  return Value::Undefined("an inline if without else was false");
}

absl::StatusOr<Arguments> Interpreter::EvalArguments(const Expr& expr, Scope* scope) {
  Arguments arguments;
  for (size_t i = 1; i < expr.args.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*expr.args[i], scope));
    arguments.positional.push_back(std::move(value));
  }
  for (const auto& [name, arg] : expr.named) {
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*arg, scope));
    arguments.named.emplace_back(name, std::move(value));
  }
  return arguments;
}

// `block` is what the innermost filter of a filter block applies to.
Interpreter::ValueOr Interpreter::FilterOn(const Expr& expr, Scope* scope, const Value* block) {
  Value input;
  if (expr.args[0] == nullptr) {
    input = *block;
  } else if (block != nullptr) {
    DepthGuard guard(runtime_.budget);
    STEER_RETURN_IF_ERROR(guard.status());
    STEER_ASSIGN_OR_RETURN(input, FilterOn(*expr.args[0], scope, block));
  } else {
    STEER_ASSIGN_OR_RETURN(input, Eval(*expr.args[0], scope));
  }
  STEER_ASSIGN_OR_RETURN(Arguments arguments, EvalArguments(expr, scope));
  return CallFilter(expr.text, input, arguments, runtime_);
}

Interpreter::ValueOr Interpreter::TestOn(const Expr& expr, Scope* scope) {
  STEER_ASSIGN_OR_RETURN(Value input, Eval(*expr.args[0], scope));
  STEER_ASSIGN_OR_RETURN(Arguments arguments, EvalArguments(expr, scope));
  STEER_ASSIGN_OR_RETURN(bool passes, CallTest(expr.text, input, arguments, runtime_));
  return Value::Bool(passes);
}

Interpreter::ValueOr Interpreter::Call(const Expr& expr, Scope* scope, const Value* caller) {
  STEER_ASSIGN_OR_RETURN(Value callee, Eval(*expr.args[0], scope));
  STEER_ASSIGN_OR_RETURN(Arguments arguments, EvalArguments(expr, scope));
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  if (callee.is_undefined()) return UndefinedError(callee);
  if (!callee.is(Kind::kCallable))
    return Fail(absl::StrCat("a value of type '", TypeName(callee), "' is not callable"));
  const CallableObject& callable = callee.callable();
  if (callable.kind == CallableKind::kGlobal)
    return CallFunction(callable.name, arguments, runtime_);
  if (callable.kind == CallableKind::kMethod)
    return CallMethod(callable.receiver, callable.name, arguments, runtime_);
  return CallMacro(*callable.macro, std::move(arguments));
}

Interpreter::ValueOr Interpreter::CallMacro(const MacroObject& macro, Arguments arguments) {
  // Two levels for one call, whose frames are the largest: by {% call %} it nests without an
  // expression in between, and 800 of them need more stack than a thread has under AddressSanitizer.
  DepthGuard guard(runtime_.budget), frames(runtime_.budget);
  STEER_RETURN_IF_ERROR(frames.status());  // also where the first level was too deep
  const MacroDefinition& definition = *macro.definition;
  const size_t count = definition.parameters.size();
  for (const Scope* s = macro.scope; s != nullptr; s = s->parent) {
    if (s->ended)
      return Fail(absl::StrCat("calling the macro '", definition.name,
                               "' after the block that defines it is not built"));
  }
  LocalScope scope(*this, macro.scope);
  // Moves a named argument out.
  auto take = [&](absl::string_view name) -> absl::StatusOr<absl::optional<Value>> {
    STEER_RETURN_IF_ERROR(runtime_.budget.Names(arguments.named.size()));
    for (auto it = arguments.named.begin(); it != arguments.named.end(); ++it) {
      if (it->first != name) continue;
      Value value = std::move(it->second);
      arguments.named.erase(it);
      return absl::optional<Value>(std::move(value));
    }
    return absl::optional<Value>();
  };
  std::vector<bool> missing(count);
  for (size_t i = 0; i < count; ++i) {
    const Parameter& parameter = definition.parameters[i];
    absl::optional<Value> given;
    if (i < arguments.positional.size()) {
      given = arguments.positional[i];
    } else {
      STEER_ASSIGN_OR_RETURN(given, take(parameter.name));
    }
    missing[i] = !given.has_value();
    if (given.has_value() && given->depth() > kMaxValueDepth) {
      return TooMuch(absl::StrCat("values nested deeper than ", kMaxValueDepth));
    }
    if (!given.has_value()) {
      given = Value::Undefined(absl::StrCat("parameter '", parameter.name, "' was not provided"));
    }
    STEER_RETURN_IF_ERROR(Bind(parameter.name, *std::move(given), scope.get()));
  }
  if (definition.takes_caller) {
    STEER_ASSIGN_OR_RETURN(absl::optional<Value> caller, take("caller"));
    scope->Set("caller",
               caller.has_value() ? *std::move(caller) : Value::Undefined("No caller defined"));
  }
  if (definition.takes_kwargs) {
    DictItems items;
    for (auto& [name, value] : arguments.named) items.emplace_back(Value::String(name), value);
    scope->Set("kwargs", Value::Dict(std::move(items)));
  } else if (!arguments.named.empty()) {
    return Fail(absl::StrCat("the macro '", definition.name, "' has no parameter '",
                             arguments.named[0].first, "'"));
  }
  if (definition.takes_varargs) {
    Items rest;
    for (size_t i = count; i < arguments.positional.size(); ++i)
      rest.push_back(arguments.positional[i]);
    scope->Set("varargs", Value::Tuple(std::move(rest)));
  } else if (arguments.positional.size() > count) {
    return Fail(absl::StrCat("the macro '", definition.name, "' takes not more than ", count,
                             " argument(s)"));
  }
  for (size_t i = 0; i < count; ++i) {
    const ExprPtr& default_value = definition.parameters[i].default_value;
    if (!missing[i] || default_value == nullptr) continue;
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*default_value, scope.get()));
    STEER_RETURN_IF_ERROR(Bind(definition.parameters[i].name, std::move(value), scope.get()));
  }
  std::string text;
  STEER_RETURN_IF_ERROR(Capture(*definition.body, scope.get(), &text).status());
  return Value::String(std::move(text));
}

}  // namespace steer::jinja
