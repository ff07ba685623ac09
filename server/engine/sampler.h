// Chooses the next token from logits. Pure functions; no torch.
#ifndef STEER_SERVER_ENGINE_SAMPLER_H_
#define STEER_SERVER_ENGINE_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/engine/job.h"

namespace steer {

// `logits` [vocabulary], raw. `seen`: prompt and generated ids, for the repetition penalty (Keskar
// et al. 2019, CTRL, section 4.1). Greedy takes the largest logit, ties to the lowest id. Sampling
// draws the index-th uniform of (spec.seed): temperature, then the smallest set of tokens, by
// falling probability and rising id, whose probability reaches top_p. INTERNAL (NON_FINITE_LOGITS)
// if a logit is not finite.
absl::StatusOr<int32_t> ChooseToken(absl::Span<const float> logits, const DecodeSpec& spec,
                                    absl::Span<const int32_t> prompt,
                                    absl::Span<const int32_t> generated);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_SAMPLER_H_
