#include "server/model/linear.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/linear.h>

#include <optional>
#include <string_view>
#include <utility>

namespace steer {
namespace {

using Pointwise = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                             std::string_view, c10::List<std::optional<at::Scalar>>,
                             std::optional<std::string_view>);

// at::linear in float32 is MKL, whose small products (7 x 5, say) depend on a row's place and which
// is slower on AMD; oneDNN keeps the promise in every shape that the tests try. Null where this
// libtorch has no oneDNN.
const c10::TypedOperatorHandle<Pointwise>* OneDnn() {
  static const std::optional<c10::TypedOperatorHandle<Pointwise>> kOperator =
      []() -> std::optional<c10::TypedOperatorHandle<Pointwise>> {
    auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!found.has_value() || !found->hasKernelForDispatchKey(c10::DispatchKey::CPU)) {
      return std::nullopt;
    }
    return found->typed<Pointwise>();
  }();
  return kOperator.has_value() ? &*kOperator : nullptr;
}

bool UsesOneDnn(at::ScalarType type, at::Device device) {
  return device.is_cpu() && type == at::kFloat && OneDnn() != nullptr;
}

}  // namespace

std::string LinearKernelName(at::ScalarType type, at::Device device) {
  return UsesOneDnn(type, device) ? "mkldnn::_linear_pointwise" : "at::linear";
}

Linear::Linear(at::Tensor weight, at::Tensor bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  std::optional<at::Tensor> bias;
  if (bias_.defined()) bias = bias_;
  if (!UsesOneDnn(x.scalar_type(), x.device())) return at::linear(x, weight_, bias);
  return OneDnn()->call(x, weight_, bias, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

}  // namespace steer
