#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "server/model/attention.h"
#include "server/model/row_kernels.h"

namespace steer {
namespace {

template <typename T>
void Run(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values,
         const StepLayout& layout, const AttentionShape& shape, at::Tensor& out) {
  const T* q = qkv.data_ptr<T>();
  const T* k = keys.data_ptr<T>();
  const T* v = values.data_ptr<T>();
  T* result = out.data_ptr<T>();
  const int64_t group = shape.heads / shape.kv_heads;
  const int64_t stride = shape.kv_heads * shape.head_dim;
  const int64_t items = static_cast<int64_t>(layout.places.size()) * shape.kv_heads;
  int64_t longest = 0;
  for (const TokenPlace& place : layout.places) {
    longest = std::max(longest, place.position + 1 - FirstVisible(place.position, shape.window));
  }
  const int64_t scratch_size = AttendScratch(group, shape.head_dim, longest);
#pragma omp parallel if (items > 1)
  {
    std::vector<float> scratch(static_cast<size_t>(scratch_size));
    // Tokens late in a row cost more than early ones, so items are handed out as threads come free.
#pragma omp for schedule(dynamic, 4)
    for (int64_t item = 0; item < items; ++item) {
      const TokenPlace& place = layout.places[static_cast<size_t>(item / shape.kv_heads)];
      const int64_t kv_head = item % shape.kv_heads;
      const int64_t first = FirstVisible(place.position, shape.window);
      const int64_t arena = (place.kv_begin + first) * stride + kv_head * shape.head_dim;
      AttendArguments<T> arguments;
      arguments.queries = q + place.token * qkv.size(1) + kv_head * group * shape.head_dim;
      arguments.keys = k + arena;
      arguments.values = v + arena;
      arguments.group = group;
      arguments.head_dim = shape.head_dim;
      arguments.visible = place.position + 1 - first;
      arguments.stride = stride;
      arguments.scale = shape.scale;
      arguments.softcap = shape.softcap;
      arguments.scratch = scratch.data();
      arguments.out = result + (place.token * shape.heads + kv_head * group) * shape.head_dim;
      Attend(arguments);
    }
  }
}

}  // namespace

at::Tensor AttentionCpu(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values,
                        const StepLayout& layout, const AttentionShape& shape) {
  at::Tensor out = at::zeros({qkv.size(0), shape.heads * shape.head_dim}, qkv.options());
  if (qkv.scalar_type() == at::kFloat) {
    Run<float>(qkv, keys, values, layout, shape, out);
  } else {
    Run<at::BFloat16>(qkv, keys, values, layout, shape, out);
  }
  return out;
}

}  // namespace steer
