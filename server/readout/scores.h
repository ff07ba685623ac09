// Scores at one position, float64, from raw float32 logits.
#ifndef STEER_SERVER_READOUT_SCORES_H_
#define STEER_SERVER_READOUT_SCORES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/tokenizer/chat_template.h"
#include "server/tokenizer/tokenizer.h"

namespace steer {

// logsumexp(ids) - logsumexp(rest), nats. `ids` sorted, distinct, in range, not all of the
// vocabulary. INTERNAL (NON_FINITE_LOGITS) if a logit is not finite.
absl::StatusOr<double> RefusalLogOdds(absl::Span<const float> logits,
                                      absl::Span<const int32_t> ids);

// KL(p || q) of the two softmaxes, nats, from log-softmax; tiny negative rounding is returned as 0.
// Same errors.
absl::StatusOr<double> KlDivergence(absl::Span<const float> p_logits,
                                    absl::Span<const float> q_logits);

// First token of each phrase, sentence-cased ("I'm sorry", "My apologies"), in place after the
// rendered template (a neutral user turn): sorted, distinct. INTERNAL if the rendered prompt does
// not tokenise to a prefix of prompt + phrase.
absl::StatusOr<std::vector<int32_t>> RefusalTokenIds(const Tokenizer& tokenizer,
                                                     const ChatTemplate& chat_template,
                                                     absl::Span<const std::string> phrases);

}  // namespace steer

#endif  // STEER_SERVER_READOUT_SCORES_H_
