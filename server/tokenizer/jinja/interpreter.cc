#include "server/tokenizer/jinja/interpreter.h"

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/check.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/functions.h"
#include "server/tokenizer/jinja/loop.h"
#include "server/tokenizer/jinja/parser.h"
#include "server/tokenizer/jinja/print.h"
#include "server/tokenizer/jinja/template.h"

namespace steer::jinja {

const Value* Scope::Find(absl::string_view name, size_t* passed) const {
  *passed += variables.size();
  for (const auto& [key, value] : variables) {
    if (key == name) return &value;
  }
  return parent == nullptr ? nullptr : parent->Find(name, passed);
}

void Scope::Set(absl::string_view name, Value value) {
  for (auto& [key, old] : variables) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(std::string(name), std::move(value));
}

absl::StatusOr<const Value*> Interpreter::Find(absl::string_view name, const Scope* scope) {
  size_t passed = 0;
  const Value* found = scope->Find(name, &passed);
  STEER_RETURN_IF_ERROR(runtime_.budget.Names(passed));
  return found;
}

absl::Status Interpreter::Bind(absl::string_view name, Value value, Scope* scope) {
  STEER_RETURN_IF_ERROR(runtime_.budget.Names(scope->variables.size()));
  scope->Set(name, std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Interpreter::Run(
    const Body& body, const std::vector<std::pair<std::string, Value>>& variables) {
  for (const auto& [name, value] : variables) root_.Set(name, value);
  std::string out;
  out_ = &out;
  absl::Status status = Execute(body, &root_).status();
  if (!status.ok()) return status;
  return out;
}

Interpreter::FlowOr Interpreter::Execute(const Body& body, Scope* scope) {
  DepthGuard guard(runtime_.budget);
  STEER_RETURN_IF_ERROR(guard.status());
  for (const auto& statement : body) {
    STEER_RETURN_IF_ERROR(runtime_.budget.Step());
    FlowOr flow = ExecuteOne(*statement, scope);
    if (!flow.ok()) {
      if (line_noted_ || ReasonOf(flow.status()) == kRaisedReason) return flow;
      line_noted_ = true;
      return Annotate(flow.status(), absl::StrCat("line ", statement->line));
    }
    if (*flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::FlowOr Interpreter::ExecuteOne(const Statement& statement, Scope* scope) {
  switch (statement.kind) {
    case StatementKind::kData:
      STEER_RETURN_IF_ERROR(Write(statement.text));
      break;
    case StatementKind::kPrint:
      STEER_RETURN_IF_ERROR(Print(statement, scope));
      break;
    case StatementKind::kIf:
      return If(statement, scope);
    case StatementKind::kFor:
      return For(statement, scope);
    case StatementKind::kSet: {
      STEER_ASSIGN_OR_RETURN(Value value, Eval(*statement.exprs[0], scope));
      STEER_RETURN_IF_ERROR(Assign(statement.targets[0], value, scope));
      break;
    }
    case StatementKind::kSetBlock:
      return SetBlock(statement, scope);
    case StatementKind::kMacro:
      STEER_RETURN_IF_ERROR(Bind(statement.macro.name, DefineMacro(statement.macro, scope), scope));
      break;
    case StatementKind::kCallBlock:
      STEER_RETURN_IF_ERROR(CallBlock(statement, scope));
      break;
    case StatementKind::kFilterBlock:
      return FilterBlock(statement, scope);
    case StatementKind::kWith:
      return With(statement, scope);
    case StatementKind::kGeneration: {
      LocalScope inner(*this, scope);
      return Execute(statement.bodies[0], inner.get());
    }
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

absl::Status Interpreter::Write(absl::string_view text) {
  if (out_->size() + text.size() > kMaxOutput) {
    return TooMuch(absl::StrCat("rendering gives more than ", kMaxOutput, " bytes"));
  }
  out_->append(text.data(), text.size());
  return absl::OkStatus();
}

absl::Status Interpreter::Print(const Statement& statement, Scope* scope) {
  for (const ExprPtr& expr : statement.exprs) {
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*expr, scope));
    if (value.is_string()) {
      STEER_RETURN_IF_ERROR(Write(value.text()));
      continue;
    }
    STEER_ASSIGN_OR_RETURN(std::string text, Str(value, runtime_.budget));
    STEER_RETURN_IF_ERROR(Write(text));
  }
  return absl::OkStatus();
}

Interpreter::FlowOr Interpreter::If(const Statement& statement, Scope* scope) {
  for (size_t i = 0; i < statement.exprs.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(Value test, Eval(*statement.exprs[i], scope));
    if (IsTrue(test)) return Execute(statement.bodies[i], scope);
  }
  if (statement.bodies.size() > statement.exprs.size())
    return Execute(statement.bodies.back(), scope);
  return Flow::kNormal;
}

Interpreter::FlowOr Interpreter::For(const Statement& statement, Scope* scope) {
  STEER_ASSIGN_OR_RETURN(Value source, Eval(*statement.exprs[0], scope));
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(source, runtime_.budget));
  LoopObject::Filter filter;
  if (statement.exprs[1] != nullptr) {
    filter = [&, scope](const Value& item) -> absl::StatusOr<bool> {
      LocalScope test(*this, scope);
      STEER_RETURN_IF_ERROR(Assign(statement.targets[0], item, test.get()));
      STEER_ASSIGN_OR_RETURN(Value keep, Eval(*statement.exprs[1], test.get()));
      return IsTrue(keep);
    };
  }
  auto loop = std::make_shared<LoopObject>(std::move(items), std::move(filter), 0);
  if (loop->depth > kMaxValueDepth)
    return TooMuch(absl::StrCat("values nested deeper than ", kMaxValueDepth));
  absl::Cleanup end = [&loop] { loop->End(); };
  // As in jinja2, a round that break or continue cuts short does not keep the else away.
  bool completed = false;
  while (true) {
    STEER_ASSIGN_OR_RETURN(bool more, loop->Advance());
    if (!more) break;
    STEER_RETURN_IF_ERROR(runtime_.budget.Step());
    LocalScope round(*this, scope);
    round->Set("loop", Value::FromObject(Kind::kLoop, loop));
    STEER_RETURN_IF_ERROR(Assign(statement.targets[0], loop->current(), round.get()));
    STEER_ASSIGN_OR_RETURN(Flow flow, Execute(statement.bodies[0], round.get()));
    if (flow == Flow::kBreak) break;
    completed |= flow == Flow::kNormal;
  }
  if (completed || statement.bodies[1].empty()) return Flow::kNormal;
  LocalScope otherwise(*this, scope);
  return Execute(statement.bodies[1], otherwise.get());
}

// What the body writes, in a scope of its own.
Interpreter::FlowOr Interpreter::Capture(const Body& body, Scope* scope, std::string* text) {
  std::string* outer = std::exchange(out_, text);
  absl::Cleanup restore = [this, outer] { out_ = outer; };
  LocalScope inner(*this, scope);
  STEER_ASSIGN_OR_RETURN(Flow flow, Execute(body, inner.get()));
  STEER_RETURN_IF_ERROR(runtime_.budget.Bytes(text->size()));
  return flow;
}

Interpreter::FlowOr Interpreter::SetBlock(const Statement& statement, Scope* scope) {
  std::string text;
  STEER_ASSIGN_OR_RETURN(Flow flow, Capture(statement.bodies[0], scope, &text));
  if (flow != Flow::kNormal) return flow;
  Value value = Value::String(std::move(text));
  if (statement.exprs[0] != nullptr) {
    const Value block = value;
    STEER_ASSIGN_OR_RETURN(value, FilterOn(*statement.exprs[0], scope, &block));
  }
  STEER_RETURN_IF_ERROR(Assign(statement.targets[0], value, scope));
  return Flow::kNormal;
}

Interpreter::FlowOr Interpreter::FilterBlock(const Statement& statement, Scope* scope) {
  std::string text;
  STEER_ASSIGN_OR_RETURN(Flow flow, Capture(statement.bodies[0], scope, &text));
  if (flow != Flow::kNormal) return flow;
  const Value block = Value::String(std::move(text));
  STEER_ASSIGN_OR_RETURN(Value value, FilterOn(*statement.exprs[0], scope, &block));
  STEER_ASSIGN_OR_RETURN(std::string filtered, Str(value, runtime_.budget));
  STEER_RETURN_IF_ERROR(Write(filtered));
  return Flow::kNormal;
}

Interpreter::FlowOr Interpreter::With(const Statement& statement, Scope* scope) {
  LocalScope inner(*this, scope);
  for (size_t i = 0; i < statement.targets.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(Value value, Eval(*statement.exprs[i], scope));
    STEER_RETURN_IF_ERROR(Assign(statement.targets[i], value, inner.get()));
  }
  return Execute(statement.bodies[0], inner.get());
}

absl::Status Interpreter::CallBlock(const Statement& statement, Scope* scope) {
  const Value caller = DefineMacro(statement.macro, scope);
  STEER_ASSIGN_OR_RETURN(Value value, Call(*statement.exprs[0], scope, &caller));
  STEER_ASSIGN_OR_RETURN(std::string text, Str(value, runtime_.budget));
  return Write(text);
}

Value Interpreter::DefineMacro(const MacroDefinition& definition, Scope* scope) {
  auto macro = std::make_unique<MacroObject>();
  macro->definition = &definition;
  macro->scope = scope;
  auto callable = std::make_shared<CallableObject>();
  callable->kind = CallableKind::kMacro;
  callable->name = definition.name;
  callable->macro = macro.get();
  runtime_.owned.push_back(std::move(macro));
  ++macros_defined_;
  return Value::FromObject(Kind::kCallable, std::move(callable));
}

absl::Status Interpreter::Assign(const Target& target, const Value& value, Scope* scope) {
  if (value.depth() > kMaxValueDepth)
    return TooMuch(absl::StrCat("values nested deeper than ", kMaxValueDepth));
  if (target.is_tuple) {
    STEER_ASSIGN_OR_RETURN(Items items, Iterate(value, runtime_.budget));
    if (items.size() != target.items.size()) {
      return Fail(absl::StrCat("cannot unpack ", items.size(), " value(s) into ",
                               target.items.size(), " name(s)"));
    }
    for (size_t i = 0; i < items.size(); ++i) {
      STEER_RETURN_IF_ERROR(runtime_.budget.Step());
      STEER_RETURN_IF_ERROR(Assign(target.items[i], items[i], scope));
    }
    return absl::OkStatus();
  }
  if (target.attribute.empty()) return Bind(target.name, value, scope);
  STEER_ASSIGN_OR_RETURN(const Value* holder, Find(target.name, scope));
  if (holder == nullptr || !holder->is(Kind::kNamespace)) {
    return Fail(absl::StrCat("cannot assign to an attribute of '", target.name,
                             "', which is not a namespace"));
  }
  STEER_RETURN_IF_ERROR(runtime_.budget.Names(holder->name_space().attributes.size()));
  for (auto& [name, old] : holder->name_space().attributes) {
    if (name == target.attribute) {
      old = value;
      return absl::OkStatus();
    }
  }
  holder->name_space().attributes.emplace_back(target.attribute, value);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Template>> Template::Compile(absl::string_view source) {
  constexpr size_t kMaxSource = size_t{1} << 20;
  if (source.size() > kMaxSource)
    return TooMuch(absl::StrCat("the template is longer than ", kMaxSource, " bytes"));
  STEER_ASSIGN_OR_RETURN(std::vector<Token> tokens, Lex(source));
  STEER_ASSIGN_OR_RETURN(Body body, Parse(std::move(tokens)));
  STEER_RETURN_IF_ERROR(Check(body));
  return std::shared_ptr<const Template>(new Template(std::move(body)));
}

absl::StatusOr<std::string> Template::Render(const Variables& variables) const {
  return Interpreter().Run(body_, variables);
}

}  // namespace steer::jinja
