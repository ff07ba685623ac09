// What a template names must exist: filters, tests, methods and functions are looked up once, when
// the template is loaded, also in branches that no rendering takes.
#ifndef STEER_SERVER_TOKENIZER_JINJA_CHECK_H_
#define STEER_SERVER_TOKENIZER_JINJA_CHECK_H_

#include "absl/status/status.h"
#include "server/tokenizer/jinja/ast.h"

namespace steer::jinja {

// INVALID_ARGUMENT with line and name of the first thing that is not built. Also notes in each
// macro whether it reads caller, varargs and kwargs.
absl::Status Check(Body& body);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_CHECK_H_
