// Null directions derived from a fitted one. A control is reproducible from (family, seed, draw)
// and the set.
#ifndef STEER_SERVER_STEERING_CONTROL_H_
#define STEER_SERVER_STEERING_CONTROL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "server/steering/direction_set.h"

namespace steer {

enum class ControlFamily { kIsotropic };

struct Control {
  ControlFamily family = ControlFamily::kIsotropic;
  uint64_t seed = 0;
  uint32_t draw = 0;
  friend bool operator==(const Control&, const Control&) = default;
};

// Names one direction; see proto DirectionRef.
struct DirectionRef {
  std::string set_id;
  int position = -1;
  int layer = 0;
  int component = 0;
  absl::optional<Control> control;
  friend bool operator==(const DirectionRef&, const DirectionRef&) = default;
};

// A direction ready for use.
struct ResolvedDirection {
  std::vector<float> values;  // [hidden], with its norm
  double norm = 0;            // float64 norm of `values`
  double cosine_with_fitted = 1;
  std::string digest;          // DirectionDigest(values)
  std::string content_digest;  // of the set
};

// g ~ N(0, I) from Philox(seed, stream = draw), coordinate i = Normal(i), scaled in float64 to
// `norm`, then rounded to float32.
std::vector<float> IsotropicDraw(int64_t hidden, double norm, uint64_t seed, uint32_t draw);

// INVALID_ARGUMENT for a position, layer or component that the set has not; FAILED_PRECONDITION
// (DIRECTION_UNUSABLE) where the fitted direction is unusable, also for its controls.
absl::StatusOr<ResolvedDirection> ResolveDirection(const DirectionSet& set,
                                                   const DirectionRef& ref);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_CONTROL_H_
