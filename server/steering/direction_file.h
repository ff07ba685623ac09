// One direction as a safetensors file, for use elsewhere (transformers hooks, notebooks). No torch.
#ifndef STEER_SERVER_STEERING_DIRECTION_FILE_H_
#define STEER_SERVER_STEERING_DIRECTION_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/steering/control.h"

namespace steer {

// Tensor "direction", float32 [hidden]; metadata says which direction of which set it is.
absl::StatusOr<std::string> SerializeDirection(const ResolvedDirection& direction,
                                               const DirectionRef& ref);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_FILE_H_
