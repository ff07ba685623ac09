// y = x W^T + b. At a fixed number of rows, a row's bits depend neither on its place nor on its
// mates.
#ifndef STEER_SERVER_MODEL_LINEAR_H_
#define STEER_SERVER_MODEL_LINEAR_H_

#include <ATen/core/Tensor.h>

#include <string>

namespace steer {

// How products are computed, by type and device; part of the numeric fingerprint.
std::string LinearKernelName(at::ScalarType type, at::Device device);

class Linear {
 public:
  Linear() = default;
  // `weight` [out, in] contiguous; `bias` [out] or undefined. On the CPU the weight is copied into
  // another layout.
  Linear(at::Tensor weight, at::Tensor bias);
  // `x` [rows, in] -> [rows, out]. Engine thread.
  at::Tensor operator()(const at::Tensor& x) const;
  // True if it holds a copy of the weight and not the weight itself.
  bool packed() const { return packed_; }

 private:
  at::Tensor weight_;  // in a private layout of oneDNN if packed_
  at::Tensor bias_;
  bool packed_ = false;
};

}  // namespace steer

#endif  // STEER_SERVER_MODEL_LINEAR_H_
