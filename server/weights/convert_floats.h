// Weights from the type that a checkpoint stores to the type that the model computes in, with the
// check that every value survives. No torch; pure, any thread.
#ifndef STEER_SERVER_WEIGHTS_CONVERT_FLOATS_H_
#define STEER_SERVER_WEIGHTS_CONVERT_FLOATS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "server/weights/safetensors.h"

namespace steer {

enum class ModelType { kFloat32, kBFloat16 };

// F64, F32, F16 and BF16, the types that transformers converts when it loads a checkpoint.
bool IsFloatType(TensorType type);

// Writes elements [begin, begin + count) of a float tensor to `out`, which has room for them.
// Widening is exact; narrowing rounds once, to nearest with ties to even. F64 goes to bfloat16
// through float32, as torch does. A NaN stays one. Returns the index within the tensor of the first
// element that is not finite there, whether it was stored so or is too large for the model's type;
// begin + count if all are.
int64_t ConvertFloats(const TensorView& view, int64_t begin, int64_t count, ModelType to,
                      void* out);

// What to say about that element: "holds NaN at [3, 17]", "holds 3.4e+38 at [5], which bfloat16
// cannot hold".
std::string DescribeNonFinite(const TensorView& view, int64_t index, ModelType to);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_CONVERT_FLOATS_H_
