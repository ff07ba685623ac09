#include "common/prompt_form.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "common/digest.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "common/white_space.h"

namespace steer {

absl::StatusOr<std::string> PromptNormalForm(absl::string_view text) {
  if (!IsValidUtf8(text)) return absl::InvalidArgumentError("the prompt is not valid UTF-8");
  utf8proc_uint8_t* folded = nullptr;
  auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                                UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
  utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &folded, options);
  if (size < 0) return absl::InvalidArgumentError("the prompt cannot be normalised");
  absl::string_view mapped(reinterpret_cast<const char*>(folded), static_cast<size_t>(size));
  std::string form;
  bool space = false;
  for (size_t at = 0; at < mapped.size();) {
    uint32_t c = NextCodePoint(mapped, &at);
    if (IsWhiteSpace(c)) {
      space = true;
      continue;
    }
    if (space && !form.empty()) form.push_back(' ');
    space = false;
    AppendUtf8(c, &form);
  }
  free(folded);
  return form;
}

absl::StatusOr<std::string> PromptHash(absl::string_view text) {
  STEER_ASSIGN_OR_RETURN(std::string form, PromptNormalForm(text));
  return Sha256Hex(form);
}

}  // namespace steer
