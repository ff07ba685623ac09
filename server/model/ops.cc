#include "server/model/ops.h"

namespace steer {

at::Tensor RmsNorm(const at::Tensor& x, const Norm& norm) {
  return x.is_cpu() ? cpu::RmsNorm(x, norm) : torch_ops::RmsNorm(x, norm);
}

at::Tensor Gate(const at::Tensor& gate_up, Activation activation) {
  return gate_up.is_cpu() ? cpu::Gate(gate_up, activation) : torch_ops::Gate(gate_up, activation);
}

void Softcap(at::Tensor& x, double cap) {
  (x.is_cpu() ? cpu::Softcap : torch_ops::Softcap)(x, cap);
}

void RotateAndStore(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                    const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                    at::Tensor& values) {
  (qkv.is_cpu() ? cpu::RotateAndStore : torch_ops::RotateAndStore)(qkv, norms, rope, layout, shape,
                                                                   keys, values);
}

}  // namespace steer
