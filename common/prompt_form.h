// The one normal form in which client and server compare prompts: NFKC, case-folded, runs of white
// space as one space, trimmed. Two prompts with the same form are the same prompt, in
// deduplication, in splits and in the server's split keeping.
#ifndef STEER_COMMON_PROMPT_FORM_H_
#define STEER_COMMON_PROMPT_FORM_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

// Named in locks and set files; changes with the form.
inline constexpr char kPromptFormVersion[] = "prompt-form-1";

// INVALID_ARGUMENT if `text` is not UTF-8.
absl::StatusOr<std::string> PromptNormalForm(absl::string_view text);

// SHA-256 of the normal form, 64 hex digits.
absl::StatusOr<std::string> PromptHash(absl::string_view text);

}  // namespace steer

#endif  // STEER_COMMON_PROMPT_FORM_H_
