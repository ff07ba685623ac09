// One rendering: walks the tree.
#ifndef STEER_SERVER_TOKENIZER_JINJA_INTERPRETER_H_
#define STEER_SERVER_TOKENIZER_JINJA_INTERPRETER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/tokenizer/jinja/arguments.h"
#include "server/tokenizer/jinja/ast.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

// Variables of a block. `if` opens none; `for` opens one for each round.
struct Scope {
  explicit Scope(Scope* parent) : parent(parent) {}
  // Adds to *passed how many variables it looks at, here and in the blocks around.
  const Value* Find(absl::string_view name, size_t* passed) const;
  void Set(absl::string_view name, Value value);

  Scope* parent;
  bool ended = false;  // kept for a macro only, which may not be called any more
  std::vector<std::pair<std::string, Value>> variables;
};

// A macro sees the variables of the block that defines it, as they are when it is called.
struct MacroObject : Object {
  const MacroDefinition* definition;
  Scope* scope;
};

class Interpreter {
 public:
  explicit Interpreter(Budget budget = {}) : root_(nullptr) { runtime_.budget = budget; }
  absl::StatusOr<std::string> Run(const Body& body,
                                  const std::vector<std::pair<std::string, Value>>& variables);

 private:
  friend class LocalScope;
  enum class Flow { kNormal, kBreak, kContinue };
  using FlowOr = absl::StatusOr<Flow>;
  using ValueOr = absl::StatusOr<Value>;

  // Statements (interpreter.cc).
  FlowOr Execute(const Body& body, Scope* scope);
  FlowOr ExecuteOne(const Statement& statement, Scope* scope);
  FlowOr If(const Statement& statement, Scope* scope);
  FlowOr For(const Statement& statement, Scope* scope);
  FlowOr Capture(const Body& body, Scope* scope, std::string* text);
  FlowOr SetBlock(const Statement& statement, Scope* scope);
  FlowOr FilterBlock(const Statement& statement, Scope* scope);
  FlowOr With(const Statement& statement, Scope* scope);
  absl::Status CallBlock(const Statement& statement, Scope* scope);
  absl::Status Print(const Statement& statement, Scope* scope);
  absl::Status Write(absl::string_view text);
  absl::Status Assign(const Target& target, const Value& value, Scope* scope);
  Value DefineMacro(const MacroDefinition& definition, Scope* scope);
  // Scope's Find and Set, charged by the number of variables.
  absl::StatusOr<const Value*> Find(absl::string_view name, const Scope* scope);
  absl::Status Bind(absl::string_view name, Value value, Scope* scope);

  // Expressions (evaluate.cc).
  ValueOr Eval(const Expr& expr, Scope* scope);
  ValueOr Name(const Expr& expr, Scope* scope);
  ValueOr Sequence(const Expr& expr, Scope* scope);
  ValueOr Dict(const Expr& expr, Scope* scope);
  ValueOr SliceOf(const Expr& expr, Scope* scope);
  ValueOr Compare(const Expr& expr, Scope* scope);
  ValueOr Logic(const Expr& expr, Scope* scope);
  ValueOr Concat(const Expr& expr, Scope* scope);
  ValueOr Condition(const Expr& expr, Scope* scope);
  ValueOr FilterOn(const Expr& expr, Scope* scope, const Value* block);
  ValueOr TestOn(const Expr& expr, Scope* scope);
  ValueOr Call(const Expr& expr, Scope* scope, const Value* caller);
  ValueOr CallMacro(const MacroObject& macro, Arguments arguments);
  absl::StatusOr<Arguments> EvalArguments(const Expr& expr, Scope* scope);

  Runtime runtime_;
  Scope root_;
  std::string* out_ = nullptr;
  bool line_noted_ = false;
  size_t macros_defined_ = 0;
  std::vector<std::unique_ptr<Scope>> kept_;
};

// A scope that lives as long as its block, or as the rendering where a macro was defined inside:
// the macro may outlive the block.
class LocalScope {
 public:
  LocalScope(Interpreter& interpreter, Scope* parent)
      : interpreter_(interpreter),
        scope_(std::make_unique<Scope>(parent)),
        macros_before_(interpreter.macros_defined_) {}
  ~LocalScope() {
    if (interpreter_.macros_defined_ == macros_before_) return;
    scope_->ended = true;
    interpreter_.kept_.push_back(std::move(scope_));
  }
  LocalScope(const LocalScope&) = delete;
  LocalScope& operator=(const LocalScope&) = delete;
  Scope* get() const { return scope_.get(); }
  Scope* operator->() const { return scope_.get(); }

 private:
  Interpreter& interpreter_;
  std::unique_ptr<Scope> scope_;
  size_t macros_before_;
};

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_INTERPRETER_H_
