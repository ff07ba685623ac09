// What an intervention is, in the few words that metrics may carry: the kind of its ops and whose
// directions they name. No torch.
#ifndef STEER_SERVER_STEERING_INTERVENTION_CLASS_H_
#define STEER_SERVER_STEERING_INTERVENTION_CLASS_H_

#include <array>
#include <cstddef>

#include "absl/strings/string_view.h"

namespace steer {

struct InterventionSpec;

// kMixed: ops of several kinds.
enum class ArmKind { kNone, kAblate, kAdd, kSetProjection, kMixed };
// kControl: random directions only; kMixed: both.
enum class DirectionKind { kNone, kFitted, kControl, kMixed };

struct InterventionClass {
  ArmKind arm = ArmKind::kNone;
  DirectionKind direction = DirectionKind::kNone;
  friend bool operator==(const InterventionClass&, const InterventionClass&) = default;
};

inline constexpr std::array<const char*, 5> kArmKindWords = {"none", "ablate", "add",
                                                             "set_projection", "mixed"};
inline constexpr std::array<const char*, 4> kDirectionKindWords = {"none", "fitted", "control",
                                                                   "mixed"};

InterventionClass ClassOf(const InterventionSpec& spec);

// The classes that exist: {none, none}, and every other kind with every other direction. Indices
// are in [0, kInterventionClasses).
inline constexpr size_t kInterventionClasses = 1 + 4 * 3;
constexpr size_t IndexOf(const InterventionClass& c) {
  if (c.arm == ArmKind::kNone || c.direction == DirectionKind::kNone) return 0;
  return 1 + (static_cast<size_t>(c.arm) - 1) * 3 + static_cast<size_t>(c.direction) - 1;
}
constexpr InterventionClass ClassAt(size_t index) {
  if (index == 0) return {};
  return {static_cast<ArmKind>(1 + (index - 1) / 3),
          static_cast<DirectionKind>(1 + (index - 1) % 3)};
}

}  // namespace steer

#endif  // STEER_SERVER_STEERING_INTERVENTION_CLASS_H_
