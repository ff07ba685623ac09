// The text of a quoted string in a template: Python's backslash escapes.
#ifndef STEER_SERVER_TOKENIZER_JINJA_STRING_LITERAL_H_
#define STEER_SERVER_TOKENIZER_JINJA_STRING_LITERAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer::jinja {

// `body` is what stands between the quotes; `line` is shown in errors. An unknown escape keeps its
// backslash, as in Python; \N{...}, surrogates and a backslash before a character outside ASCII are
// refused.
absl::StatusOr<std::string> Unescape(absl::string_view body, int line);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_STRING_LITERAL_H_
