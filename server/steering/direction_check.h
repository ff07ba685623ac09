// The rules that every direction set keeps, whether fitted here or read from a file. No torch.
#ifndef STEER_SERVER_STEERING_DIRECTION_CHECK_H_
#define STEER_SERVER_STEERING_DIRECTION_CHECK_H_

#include "absl/status/status.h"
#include "server/steering/direction_set.h"

namespace steer {

// INVALID_ARGUMENT naming the field that breaks a rule: names and digests well formed, positions
// descending, sizes in range and as the tensors have them, every number finite, norms not negative,
// reports in order and true of their directions, hashes sorted. Does not look at content_digest.
absl::Status CheckDirectionSet(const DirectionSet& set);

// The part that needs no tensors, so that their expected shapes can be trusted.
absl::Status CheckDirectionSetHeader(const DirectionSet& set);

// FAILED_PRECONDITION (MODEL_MISMATCH) naming both models if the set was fitted on another one than
// the loaded `name`. A set of another numeric fingerprint may be used: its numbers are what they
// are, and a receipt names them by digest beside the fingerprint of the server that used them.
absl::Status CheckSetModel(const DirectionSet& set, absl::string_view name,
                           absl::string_view model_fingerprint);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_CHECK_H_
