#include "server/engine/frontend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/prompt_form.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "common/white_space.h"

namespace steer {
namespace {

// Without the white space at its ends that a template's trim may take off: Python's, which is
// Unicode's and four separators.
absl::string_view Trimmed(absl::string_view text) {
  size_t begin = text.size(), end = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const uint32_t c = NextCodePoint(text, &at);
    if (IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F)) continue;
    begin = std::min(begin, from);
    end = at;
  }
  return begin < end ? text.substr(begin, end - begin) : absl::string_view();
}

}  // namespace

Frontend::Frontend(std::shared_ptr<const Tokenizer> tokenizer,
                   std::shared_ptr<const ChatTemplate> chat_template, int64_t vocabulary,
                   int64_t max_context_tokens)
    : tokenizer_(std::move(tokenizer)),
      chat_template_(std::move(chat_template)),
      vocabulary_(vocabulary),
      max_context_tokens_(max_context_tokens) {}

absl::StatusOr<PreparedPrompt> Frontend::Prepare(const std::string& user,
                                                 const absl::optional<std::string>& system) const {
  if (user.empty() || user.size() > kMaxPromptBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", user.size(), " bytes; 1 to ", kMaxPromptBytes, " are allowed"));
  }
  if (absl::StrContains(user, '\0')) return absl::InvalidArgumentError("contains a NUL");
  PreparedPrompt prompt;
  STEER_ASSIGN_OR_RETURN(prompt.hash, PromptHash(user));
  std::vector<ChatMessage> messages;
  if (system) messages.push_back({"system", *system});
  messages.push_back({"user", user});
  STEER_ASSIGN_OR_RETURN(std::string text, chat_template_->Render(messages, true));
  // A template without a place for a system turn drops it silently; that would be another
  // experiment than the one asked for.
  if (system && !absl::StrContains(text, Trimmed(*system))) {
    return absl::InvalidArgumentError(
        "a system turn was given, and this model's chat template has no place for it");
  }
  STEER_ASSIGN_OR_RETURN(prompt.ids, tokenizer_->Encode(text));
  if (prompt.ids.empty()) return absl::InvalidArgumentError("has no tokens after templating");
  for (int32_t id : prompt.ids) {
    if (static_cast<uint32_t>(id) >= static_cast<uint64_t>(vocabulary_)) {  // a negative one too
      return absl::InvalidArgumentError(absl::StrCat(
          "holds token ", id, ", which the model's embedding of ", vocabulary_, " rows lacks"));
    }
  }
  if (static_cast<int64_t>(prompt.ids.size()) > max_context_tokens_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", prompt.ids.size(), " tokens after templating; at most ", max_context_tokens_,
        " fit (--max-context-tokens, and never more than the model's own)"));
  }
  return prompt;
}

}  // namespace steer
