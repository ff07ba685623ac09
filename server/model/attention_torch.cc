#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include "server/model/attention.h"

namespace steer {

// One token at a time: the shape of each product then depends on the token's position only,
// whatever stands beside it in the step or in however many pieces its prompt came. Slow on a GPU
// for long prompts, exact everywhere.
at::Tensor AttentionTorch(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values,
                          const StepLayout& layout, const AttentionShape& shape) {
  const int64_t group = shape.heads / shape.kv_heads;
  at::Tensor out = at::zeros({qkv.size(0), shape.kv_heads, group, shape.head_dim}, qkv.options());
  const at::Tensor queries = qkv.narrow(1, 0, shape.heads * shape.head_dim);
  for (const TokenPlace& place : layout.places) {
    const int64_t first = FirstVisible(place.position, shape.window);
    const int64_t visible = place.position + 1 - first;
    const at::Tensor q =
        queries.select(0, place.token).view({shape.kv_heads, group, shape.head_dim}).to(at::kFloat);
    // [kv_heads, visible, head_dim]
    const at::Tensor k =
        keys.narrow(0, place.kv_begin + first, visible).transpose(0, 1).to(at::kFloat);
    const at::Tensor v =
        values.narrow(0, place.kv_begin + first, visible).transpose(0, 1).to(at::kFloat);
    at::Tensor scores = at::matmul(q, k.transpose(1, 2)) * shape.scale;
    if (shape.softcap > 0) scores = at::tanh(scores / shape.softcap) * shape.softcap;
    out.select(0, place.token).copy_(at::matmul(at::softmax(scores, -1), v));
  }
  return out.view({qkv.size(0), shape.heads * shape.head_dim});
}

}  // namespace steer
