// Element types as the safetensors format spells them, and the byte counts of tensors with every
// overflow checked. No torch.
#ifndef STEER_SERVER_WEIGHTS_TENSOR_TYPE_H_
#define STEER_SERVER_WEIGHTS_TENSOR_TYPE_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/weights/safetensors.h"

namespace steer {

inline constexpr size_t kMaxTensorRank = 8;
inline constexpr size_t kMaxTensorNameBytes = 512;
inline constexpr size_t kMaxTensors = 100'000;

// Empty for a name that is not one of TensorType's.
absl::optional<TensorType> TensorTypeFromName(absl::string_view name);

// Bytes of a tensor; empty if a dimension is negative or the product leaves int64.
absl::optional<int64_t> TensorBytes(TensorType type, const std::vector<int64_t>& shape);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_TENSOR_TYPE_H_
