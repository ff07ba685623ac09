// The facts of a direction set that are not tensors, as JSON. Used by direction_set_file.cc alone.
#ifndef STEER_SERVER_STEERING_DIRECTION_SET_JSON_H_
#define STEER_SERVER_STEERING_DIRECTION_SET_JSON_H_

#include "absl/status/status.h"
#include "common/json.h"
#include "server/steering/direction_set.h"

namespace steer {

Json DirectionSetFacts(const DirectionSet& set);
// Fills everything but the tensors. INVALID_ARGUMENT naming the key; an unknown key is an error,
// because a later format may mean something by it.
absl::Status ReadDirectionSetFacts(const Json& facts, DirectionSet* set);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_SET_JSON_H_
