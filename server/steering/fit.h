// Difference of means from captured states (Arditi et al. 2024, section 2.3). No torch. Not
// thread-safe.
#ifndef STEER_SERVER_STEERING_FIT_H_
#define STEER_SERVER_STEERING_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/prompt_class.h"
#include "server/steering/direction_set.h"

namespace steer {

// Collects the states of every prompt, in any order of arrival; the result does not depend on that
// order (means are summed in prompt order, in float64).
class DirectionFit {
 public:
  // At least two prompts of each class.
  DirectionFit(std::vector<int> positions, int64_t layers, int64_t hidden, int64_t harmful_prompts,
               int64_t harmless_prompts);

  // `states` [positions, 2L+1, hidden] of the index-th prompt of its class. INTERNAL
  // (NON_FINITE_STATES), naming site and position, for values that are not finite; INVALID_ARGUMENT
  // for an index out of range or given twice.
  absl::Status AddPrompt(PromptClass prompt_class, int64_t index, absl::Span<const float> states);

  // Directions, means and reports filled in; ids, digests of inputs, hashes and times are the
  // caller's. FAILED_PRECONDITION if a prompt is missing. A layer whose difference is zero, or
  // below 1e-6 of the mean state norm, is stored as unusable.
  absl::StatusOr<DirectionSet> Finish(bool keep_states);

 private:
  std::vector<int> positions_;
  int64_t layers_, hidden_, harmful_, harmless_;
  std::vector<std::vector<float>> states_;  // by prompt, harmful first
};

}  // namespace steer

#endif  // STEER_SERVER_STEERING_FIT_H_
