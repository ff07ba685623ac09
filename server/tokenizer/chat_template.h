// A chat template in the Jinja dialect of Hugging Face checkpoints, rendered byte for byte as transformers' apply_chat_template does
// (trim_blocks and lstrip_blocks on). strftime_now is deliberately undefined: a prompt must not change with the day it is rendered on, so
// templates that fall back to a fixed date (Llama 3.2: "26 Jul 2024") take it.
//
// Immutable after Load; Render may be called from any thread.
#ifndef STEER_SERVER_TOKENIZER_CHAT_TEMPLATE_H_
#define STEER_SERVER_TOKENIZER_CHAT_TEMPLATE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

// What a template may read besides the messages.
struct ChatTemplateTokens {
  std::string bos_token;  // empty if none
  std::string eos_token;
};

class ChatTemplate {
 public:
  // <folder>/chat_template.jinja, else chat_template of tokenizer_config.json (a string, or a list whose entry "default" is taken), with
  // bos_token and eos_token from there. FAILED_PRECONDITION if there is none. INVALID_ARGUMENT naming line and construct for anything that
  // this engine does not build: a template is refused when loaded, not when it first meets a branch.
  static absl::StatusOr<std::shared_ptr<const ChatTemplate>> Load(const std::string& folder);
  static absl::StatusOr<std::shared_ptr<const ChatTemplate>> Parse(absl::string_view source, ChatTemplateTokens tokens,
                                                                   absl::string_view name);
  virtual ~ChatTemplate() = default;

  // INVALID_ARGUMENT with the template's own words if it calls raise_exception; RESOURCE_EXHAUSTED beyond the limits of jinja/budget.h (1 MiB of output, 1e6 steps, ...).
  virtual absl::StatusOr<std::string> Render(const std::vector<ChatMessage>& messages, bool add_generation_prompt) const = 0;

  // SHA-256 of the template's bytes and the two tokens.
  virtual const std::string& digest() const = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_TOKENIZER_CHAT_TEMPLATE_H_
