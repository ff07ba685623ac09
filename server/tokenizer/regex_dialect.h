// Rewrites a pattern of the `tokenizers` library (Oniguruma, Ruby syntax, Unicode 16) into a PCRE2
// pattern that matches the same text.
#ifndef STEER_SERVER_TOKENIZER_REGEX_DIALECT_H_
#define STEER_SERVER_TOKENIZER_REGEX_DIALECT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer::tok {

// For PCRE2 with UTF, UCP and MULTILINE. INVALID_ARGUMENT naming the construct and its byte offset
// for whatever the two engines read differently and no rewriting is built for (\w, \b, \h, set
// operations, inline flags other than (?i:...), ...).
absl::StatusOr<std::string> ToPcre2(absl::string_view pattern);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_REGEX_DIALECT_H_
