// The stored form of a direction set: a safetensors file whose metadata carries the set's facts as
// JSON, a SHA-256 over that JSON and one over the per-prompt states. No torch.
#ifndef STEER_SERVER_STEERING_DIRECTION_SET_FILE_H_
#define STEER_SERVER_STEERING_DIRECTION_SET_FILE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/steering/direction_set.h"
#include "server/weights/safetensors.h"

namespace steer {

enum class StatesUse { kLoad, kCheckOnly };

struct ReadSet {
  DirectionSet set;  // `states` left out unless loaded
  bool has_states = false;
};

// INVALID_ARGUMENT for a file that is no direction set or breaks a rule of CheckDirectionSet,
// DATA_LOSS where a digest differs; both name the file and the place. Every tensor is checked in
// either use.
absl::StatusOr<ReadSet> ReadDirectionSet(const SafetensorsFile& file, absl::string_view name,
                                         StatesUse use);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_SET_FILE_H_
