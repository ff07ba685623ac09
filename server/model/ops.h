// The decoder's steps between matrix products, on any device: own kernels on the CPU (one result
// per row, see row_kernels.h), libtorch ops elsewhere. Tensors are contiguous, of the model's type
// unless said otherwise.
#ifndef STEER_SERVER_MODEL_OPS_H_
#define STEER_SERVER_MODEL_OPS_H_

#include <ATen/core/Tensor.h>

#include "server/model/attention.h"
#include "server/model/model_config.h"
#include "server/model/rope.h"
#include "server/model/step_layout.h"

namespace steer {

struct Norm {
  at::Tensor gain;  // [n], float32
  double epsilon = 1e-6;
  bool round_first = true;  // see NormParameters
};

// RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467) of each row: [rows, n] -> [rows, n].
at::Tensor RmsNorm(const at::Tensor& x, const Norm& norm);

// [rows, 2n] = gate | up -> activation(gate) * up, [rows, n].
at::Tensor Gate(const at::Tensor& gate_up, Activation activation);

// cap * tanh(x / cap) in place, `x` [rows, n] float32.
void Softcap(at::Tensor& x, double cap);

// Normalises (where the norms' gains are defined) and rotates the queries of `qkv` in place, the
// keys likewise, and writes keys and values into their arena slots. Padding tokens are left as they
// are.
struct QueryKeyNorms {
  Norm query, key;
};
void RotateAndStore(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                    const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                    at::Tensor& values);

// Both twins of the above, for tests; the functions above choose by the tensor's device.
namespace cpu {
at::Tensor RmsNorm(const at::Tensor& x, const Norm& norm);
at::Tensor Gate(const at::Tensor& gate_up, Activation activation);
void Softcap(at::Tensor& x, double cap);
void RotateAndStore(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                    const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                    at::Tensor& values);
}  // namespace cpu
namespace torch_ops {
at::Tensor RmsNorm(const at::Tensor& x, const Norm& norm);
at::Tensor Gate(const at::Tensor& gate_up, Activation activation);
void Softcap(at::Tensor& x, double cap);
// Needs the layout's index tensors.
void RotateAndStore(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                    const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                    at::Tensor& values);
}  // namespace torch_ops

}  // namespace steer

#endif  // STEER_SERVER_MODEL_OPS_H_
