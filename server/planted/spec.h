// What tells the four variants apart, as data.
//
//   default      one axis; harmful prompts lie one size along it. True verdict
//   SINGLE-DIRECTION-REPRODUCES. weak         the same with the threshold at the harmful class's
//   upper quartile: baseline refusal 0.25, NO-BASELINE-REFUSAL. distributed  each harmful prompt
//   has one of two topics, written one size along orthogonal axes r1 or r2; either projection above
//                t refuses. Ablating the mean difference (r1 + r2)/2 leaves half a size on the
//                prompt's own axis, and t is below that by more than three noise deviations:
//                suppression fails. Adding it lifts both axes by half a size: induction passes.
//                NOT-SINGLE-DIRECTION.
//   fragile      default plus a guard: any vector that lands on coordinates that are zero in an
//   unedited run turns the mode to
//                refusal. Ablation leaves them alone, so suppression passes; adding a random vector
//                of the fitted norm refuses as often as adding the fitted one, so induction fails
//                by the control margin alone. NOT-SINGLE-DIRECTION.
#ifndef STEER_SERVER_PLANTED_SPEC_H_
#define STEER_SERVER_PLANTED_SPEC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer::planted {

// Prompts per class, and the split that the truth file's probabilities are stated for.
inline constexpr int kPool = 400;
inline constexpr int kTrain = 128;
inline constexpr int kValidation = 32;
inline constexpr int kTest = 48;
inline constexpr int kTopicsPerClass = 3;

// Lengths are in the stream's unit. Deviations are those of a prompt, of middling length.
struct PlantedSpec {
  std::string name;
  std::string verdict;
  int axes = 1;
  bool guard = false;
  int harmful_topics = kTopicsPerClass;  // topics that occur in harmful prompts
  double axis_noise = 0;                 // deviation of the projection on an axis
  double off_axis_noise = 0;             // deviation in each of kNoise further dimensions
  double readout_noise = 0;  // weight of the first of those in the readout: refusal that no
                             // ablation of the axis removes
  double threshold = 0;      // refusal where axis + readout_noise * noise exceeds it
  double ramp = 0;           // half width in which the mode goes from answer to refusal
  int harmful_refusals = 0;  // of kPool, exactly, in an unedited run
  int harmless_refusals = 0;
};

const std::vector<PlantedSpec>& PlantedSpecs();

// INVALID_ARGUMENT listing the names.
absl::StatusOr<PlantedSpec> FindPlantedSpec(absl::string_view name);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_SPEC_H_
