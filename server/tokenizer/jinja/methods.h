// Methods of Python's str, dict, list, tuple and range, and of the loop variable.
#ifndef STEER_SERVER_TOKENIZER_JINJA_METHODS_H_
#define STEER_SERVER_TOKENIZER_JINJA_METHODS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/tokenizer/jinja/arguments.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

enum class MethodClass {
  kNone,  // Python has none either
  kBuilt,
  kForbidden,  // would change a list or dict; the sandbox gives undefined
  kNotBuilt,   // Python has it, this engine has not
};
MethodClass ClassifyMethod(const Value& receiver, absl::string_view name);

// True if some type has it: what a template may call.
bool IsMethodName(absl::string_view name);

// Requires that ClassifyMethod says kBuilt.
absl::StatusOr<Value> CallMethod(const Value& receiver, absl::string_view name,
                                 const Arguments& arguments, Runtime& runtime);

// One table per type; each in its own file.
struct Method {
  Signature signature;
  absl::StatusOr<Value> (*call)(const Value& receiver, const Bound& bound, Runtime& runtime);
};
const Method* FindStringMethod(absl::string_view name);
const Method* FindContainerMethod(const Value& receiver, absl::string_view name);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_METHODS_H_
