// The two classes of prompts that a direction tells apart.
#ifndef STEER_COMMON_PROMPT_CLASS_H_
#define STEER_COMMON_PROMPT_CLASS_H_

#include "absl/strings/string_view.h"

namespace steer {

enum class PromptClass { kHarmful, kHarmless };

// "harmful", "harmless".
inline absl::string_view PromptClassName(PromptClass prompt_class) {
  return prompt_class == PromptClass::kHarmful ? "harmful" : "harmless";
}

}  // namespace steer

#endif  // STEER_COMMON_PROMPT_CLASS_H_
