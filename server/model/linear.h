// y = x W^T + b. At a fixed number of rows, a row's bits depend neither on its place nor on its
// mates. On a CPU that is oneDNN's product where a trial at start shows that it keeps this (with
// AVX-512 it does, with AVX2 alone its float32 does not), and panel_product.h's elsewhere.
#ifndef STEER_SERVER_MODEL_LINEAR_H_
#define STEER_SERVER_MODEL_LINEAR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace steer {

// How products are computed, by type and device; part of the numeric fingerprint.
std::string LinearKernelName(at::ScalarType type, at::Device device);

// kPlain: at::linear, for devices that are not a CPU.
enum class LinearKernel { kPlain, kOneDnn, kPanels };

class Linear {
 public:
  Linear() = default;
  // `weight` [out, in] contiguous; `bias` [out] or undefined. On the CPU the weight is copied into
  // another layout.
  Linear(at::Tensor weight, at::Tensor bias);
  // `x` [rows, in] -> [rows, out]. Engine thread.
  at::Tensor operator()(const at::Tensor& x) const;
  // For tests, which hold every kernel to the promise.
  static Linear With(LinearKernel kernel, at::Tensor weight, at::Tensor bias);
  // True if it holds a copy of the weight and not the weight itself.
  bool packed() const { return kernel_ != LinearKernel::kPlain; }

 private:
  at::Tensor weight_;  // in the kernel's own layout if packed()
  at::Tensor bias_;
  LinearKernel kernel_ = LinearKernel::kPlain;
  int64_t in_ = 0, out_ = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_MODEL_LINEAR_H_
