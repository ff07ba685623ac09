// From a user's words to ids: the chat template and the tokenizer, with the rules about prompts.
// Immutable; any thread; no torch.
#ifndef STEER_SERVER_ENGINE_FRONTEND_H_
#define STEER_SERVER_ENGINE_FRONTEND_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "server/engine/job.h"
#include "server/tokenizer/chat_template.h"
#include "server/tokenizer/tokenizer.h"

namespace steer {

inline constexpr size_t kMaxPromptBytes = 32768;

class Frontend {
 public:
  Frontend(std::shared_ptr<const Tokenizer> tokenizer,
           std::shared_ptr<const ChatTemplate> chat_template, int64_t vocabulary,
           int64_t max_context_tokens);
  // See Engine::Prepare.
  absl::StatusOr<PreparedPrompt> Prepare(const std::string& user,
                                         const absl::optional<std::string>& system) const;
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }
  const ChatTemplate& chat_template() const { return *chat_template_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const ChatTemplate> chat_template_;
  int64_t vocabulary_;
  int64_t max_context_tokens_;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_FRONTEND_H_
