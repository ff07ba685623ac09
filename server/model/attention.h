// Causal attention of a step's tokens over the KV arena: two twins with one contract. A token's
// result depends on its own query and its row's keys and values up to it; the order of arithmetic
// on their number alone.
#ifndef STEER_SERVER_MODEL_ATTENTION_H_
#define STEER_SERVER_MODEL_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include "server/model/step_layout.h"

namespace steer {

struct AttentionShape {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t window = 0;  // keys at distance < window are seen; 0: all
  float scale = 1;
  float softcap = 0;  // 0: none
};

// `qkv` [T, (heads + 2 kv_heads) head_dim], whose first heads x head_dim columns are rotated
// queries; `keys` and `values` [kv_tokens, kv_heads, head_dim], which hold every position up to
// each token's own. -> [T, heads x head_dim]; padding tokens give zeros.
at::Tensor AttentionCpu(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values,
                        const StepLayout& layout, const AttentionShape& shape);
// By libtorch ops on any device, a token at a time.
at::Tensor AttentionTorch(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values,
                          const StepLayout& layout, const AttentionShape& shape);

// The first position that a token at `position` sees.
inline int64_t FirstVisible(int64_t position, int64_t window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

}  // namespace steer

#endif  // STEER_SERVER_MODEL_ATTENTION_H_
