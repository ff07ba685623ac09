// Global functions: range, dict, namespace, raise_exception.
#ifndef STEER_SERVER_TOKENIZER_JINJA_FUNCTIONS_H_
#define STEER_SERVER_TOKENIZER_JINJA_FUNCTIONS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/tokenizer/jinja/arguments.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

inline constexpr char kRaisedReason[] = "TEMPLATE_REFUSED";

// nullptr if there is none.
const Signature* FindFunction(absl::string_view name);
// Requires FindFunction(name). raise_exception gives INVALID_ARGUMENT, reason kRaisedReason, with the template's words.
absl::StatusOr<Value> CallFunction(absl::string_view name, const Arguments& arguments,
                                   Runtime& runtime);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_FUNCTIONS_H_
