// One direction as a safetensors file, for use elsewhere (transformers hooks, notebooks).
#ifndef STEER_SERVER_RPC_DIRECTION_FILE_H_
#define STEER_SERVER_RPC_DIRECTION_FILE_H_

#include <string>

#include "server/steering/control.h"

namespace steer {

// Tensor "direction", float32 [hidden]; metadata says which direction of which set it is.
std::string SerializeDirection(const ResolvedDirection& direction, const DirectionRef& ref);

}  // namespace steer

#endif  // STEER_SERVER_RPC_DIRECTION_FILE_H_
