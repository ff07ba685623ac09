// The arms that a plan runs: which intervention, over which class. Pure functions; the one place
// that knows the names and their order.
#ifndef STEER_CLIENT_PLAN_ARMS_H_
#define STEER_CLIENT_PLAN_ARMS_H_

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "client/data/pool.h"
#include "client/plan/plan.h"

namespace steer {

enum class EditKind {
  kNone,    // the plain forward pass
  kAblate,  // projected out at every site, all tokens
  kAdd,     // added at the input of its layer with the coefficient, all prompt and generated tokens
};
absl::string_view EditKindName(EditKind edit);  // "none", "ablate", "add"

// Coefficient of every addition: the raw difference of means.
inline constexpr double kAdditionCoefficient = 1.0;

struct ArmSpec {
  // Unique in its stage and allowed by the contract: "baseline/harmful", "ablate/harmful",
  // "ablate-control-0/harmful", "add/harmless", "layer-7/ablate/harmful".
  std::string name;
  PromptClass prompts = PromptClass::kHarmful;
  EditKind edit = EditKind::kNone;
  int layer = -1;  // selection arms: the candidate; test arms: -1, the chosen layer
  absl::optional<int> control_draw;  // set: a control in place of the fitted direction
  friend bool operator==(const ArmSpec&, const ArmSpec&) = default;
};

// On the test split, in this order: baseline/harmful, ablate/harmful, then ablate-control-k/harmful
// for k < control_draws, baseline/harmless, add/harmless, add-control-k/harmless. 2 * (2 + draws)
// arms.
std::vector<ArmSpec> TestArms(const Plan& plan);

// On the validation split: baseline/harmful, baseline/harmless, then layer-l/ablate/harmful and
// layer-l/add/harmless for each layer given.
std::vector<ArmSpec> SelectionArms(const std::vector<int>& layers);

// The layers that a plan lets selection choose among in a model of `layers` blocks: its list,
// or 1..L-1.
std::vector<int> CandidateLayers(const Plan& plan, int layers);

// Key of the control draws of one experiment seed: control_seed + seed, modulo 2^64.
uint64_t ControlSeed(const Plan& plan, uint64_t seed);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_ARMS_H_
