#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>

#include "server/model/ops.h"

namespace steer::torch_ops {
namespace {

// `heads` [tokens, n, head_dim], tables [tokens, 1, head_dim / 2] -> the same shape, float32
// inside.
at::Tensor Rotate(const at::Tensor& heads, const at::Tensor& cosine, const at::Tensor& sine) {
  const int64_t half = heads.size(2) / 2;
  const at::Tensor x = heads.to(at::kFloat);
  const at::Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  return at::cat({a * cosine - b * sine, b * cosine + a * sine}, 2).to(heads.scalar_type());
}

}  // namespace

at::Tensor RmsNorm(const at::Tensor& x, const Norm& norm) {
  const at::Tensor wide = x.to(at::kFloat);
  at::Tensor out = wide * at::rsqrt((wide * wide).mean(-1, true) + norm.epsilon);
  if (norm.round_first) out = out.to(x.scalar_type()).to(at::kFloat);
  return (out * norm.gain).to(x.scalar_type());
}

at::Tensor Gate(const at::Tensor& gate_up, Activation activation) {
  const int64_t n = gate_up.size(1) / 2;
  const at::Tensor gate = gate_up.narrow(1, 0, n);
  return (activation == Activation::kSilu ? at::silu(gate) : at::gelu(gate, "tanh")) *
         gate_up.narrow(1, n, n);
}

void Softcap(at::Tensor& x, double cap) { x.div_(cap).tanh_().mul_(cap); }

void RotateAndStore(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                    const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                    at::Tensor& values) {
  const int64_t tokens = layout.token_index.size(0);
  const at::Tensor cosine = at::index_select(rope.cosine, 0, layout.position_index).unsqueeze(1);
  const at::Tensor sine = at::index_select(rope.sine, 0, layout.position_index).unsqueeze(1);
  const at::Tensor rows = at::index_select(qkv, 0, layout.token_index)
                              .view({tokens, shape.heads + 2 * shape.kv_heads, shape.head_dim});
  at::Tensor q = rows.narrow(1, 0, shape.heads);
  at::Tensor k = rows.narrow(1, shape.heads, shape.kv_heads);
  if (norms.query.gain.defined()) q = torch_ops::RmsNorm(q, norms.query);
  if (norms.key.gain.defined()) k = torch_ops::RmsNorm(k, norms.key);
  q = Rotate(q, cosine, sine).reshape({tokens, shape.heads * shape.head_dim});
  at::Tensor queries = qkv.narrow(1, 0, shape.heads * shape.head_dim);
  queries.index_copy_(0, layout.token_index, q);
  keys.index_copy_(0, layout.slot_index, Rotate(k, cosine, sine));
  values.index_copy_(0, layout.slot_index,
                     rows.narrow(1, shape.heads + shape.kv_heads, shape.kv_heads));
}

}  // namespace steer::torch_ops
