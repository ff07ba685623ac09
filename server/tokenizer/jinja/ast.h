// A parsed template. Never changed after parsing, so that threads may share it.
#ifndef STEER_SERVER_TOKENIZER_JINJA_AST_H_
#define STEER_SERVER_TOKENIZER_JINJA_AST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind : uint8_t {
  kConst,      // constant
  kName,       // text
  kTuple,      // args
  kList,       // args
  kDict,       // args: key, value, key, value, ...
  kAttribute,  // args[0].text
  kItem,       // args[0][args[1]]
  kSlice,      // args[0][args[1]:args[2]:args[3]], the last three may be null
  kCall,       // args[0](args[1], ..., named)
  kFilter,     // args[0]|text(args[1], ..., named); args[0] is null in a filter block
  kTest,       // args[0] is text(args[1], ..., named)
  kNot,        // args[0]
  kNegate,     // args[0]
  kPlus,       // args[0]
  kAnd,        // args[0], args[1]
  kOr,         // args[0], args[1]
  kBinary,     // args[0] text args[1], text one of + - * / // % **
  kCompare,    // args[0] operators[0] args[1] operators[1] args[2] ...
  kConcat,     // args
  kCondition,  // args[1] if args[0] else args[2]; args[2] may be null
};

struct Expr {
  ExprKind kind;
  int line = 0;
  int height = 1;  // of the tree below, bounded by the parser
  std::string text;
  Value constant;
  std::vector<ExprPtr> args;
  std::vector<std::pair<std::string, ExprPtr>> named;
  std::vector<std::string> operators;
};

// What `set`, `for` and `with` write to: a name, an attribute of a namespace, or a tuple of
// targets.
struct Target {
  int line = 0;
  std::string name;
  std::string attribute;      // of the namespace `name`; empty for a plain name
  std::vector<Target> items;  // a tuple, if is_tuple
  bool is_tuple = false;
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Parameter {
  std::string name;
  ExprPtr default_value;  // may be null
};

// A macro, or the body of a call block (whose name is "caller").
struct MacroDefinition {
  std::string name;
  std::vector<Parameter> parameters;
  Body* body = nullptr;  // of the statement that holds this
  bool takes_varargs = false, takes_kwargs = false, takes_caller = false;
};

enum class StatementKind : uint8_t {
  kData,         // text
  kPrint,        // exprs
  kIf,           // exprs[i] guards bodies[i]; one more body is the else
  kFor,          // for target in exprs[0] if exprs[1] (may be null): bodies[0], else bodies[1]
  kSet,          // target = exprs[0]
  kSetBlock,     // target = bodies[0] through the filter exprs[0] (may be null)
  kMacro,        // macro, bodies[0]
  kCallBlock,    // exprs[0] called with caller = macro, bodies[0]
  kFilterBlock,  // exprs[0] applied to bodies[0]
  kWith,         // targets = exprs, bodies[0]
  kGeneration,   // bodies[0]
  kBreak,
  kContinue,
};

struct Statement {
  StatementKind kind;
  int line = 0;
  std::string text;
  std::vector<Target> targets;
  std::vector<ExprPtr> exprs;
  std::vector<Body> bodies;
  MacroDefinition macro;
};

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_AST_H_
