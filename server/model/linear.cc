#include "server/model/linear.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <optional>
#include <string_view>
#include <utility>

namespace steer {
namespace {

// oneDNN through the dispatcher, with weights in the layout that its kernels want. at::linear in
// float32 is MKL, whose small products (7 x 5, say) depend on a row's place and which is slower on
// AMD; in bfloat16 at::linear is oneDNN too, but lays the weights out anew in every call.
class OneDnn {
 public:
  // Throws c10::Error where this libtorch or this processor lacks the kernels.
  explicit OneDnn(at::ScalarType type)
      : reorder_(Find<Reorder>("mkldnn::_reorder_linear_weight")),
        pointwise_(Find<Pointwise>("mkldnn::_linear_pointwise")) {
    const at::Tensor probe = at::zeros({32, 32}, type);
    Apply(probe, Pack(probe), std::nullopt);
  }

  at::Tensor Pack(const at::Tensor& weight) const {
    // The row count is a hint about the layout; any number of rows may follow.
    return reorder_.call(weight, c10::SymInt(32));
  }
  at::Tensor Apply(const at::Tensor& x, const at::Tensor& packed,
                   const std::optional<at::Tensor>& bias) const {
    return pointwise_.call(x, packed, bias, "none", c10::List<std::optional<at::Scalar>>(),
                           std::nullopt);
  }

 private:
  using Reorder = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
  using Pointwise = at::Tensor(const at::Tensor&, const at::Tensor&,
                               const std::optional<at::Tensor>&, std::string_view,
                               c10::List<std::optional<at::Scalar>>,
                               std::optional<std::string_view>);
  template <typename Signature>
  static c10::TypedOperatorHandle<Signature> Find(const char* name) {
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
  }

  const c10::TypedOperatorHandle<Reorder> reorder_;
  const c10::TypedOperatorHandle<Pointwise> pointwise_;
};

// Null if it cannot run here.
const OneDnn* OneDnnFor(at::ScalarType type, at::Device device) {
  if (!device.is_cpu()) return nullptr;
  const auto make = [](at::ScalarType wanted) -> std::optional<OneDnn> {
    try {
      return OneDnn(wanted);
    } catch (const c10::Error&) {
      return std::nullopt;
    }
  };
  static const std::optional<OneDnn> kFloat = make(at::kFloat);
  static const std::optional<OneDnn> kBFloat16 = make(at::kBFloat16);
  const std::optional<OneDnn>& found = type == at::kFloat ? kFloat : kBFloat16;
  return found.has_value() ? &*found : nullptr;
}

}  // namespace

std::string LinearKernelName(at::ScalarType type, at::Device device) {
  return OneDnnFor(type, device) != nullptr ? "mkldnn::_linear_pointwise, packed" : "at::linear";
}

Linear::Linear(at::Tensor weight, at::Tensor bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  const OneDnn* one_dnn = OneDnnFor(weight_.scalar_type(), weight_.device());
  packed_ = one_dnn != nullptr;
  if (packed_) weight_ = one_dnn->Pack(weight_);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  std::optional<at::Tensor> bias;
  if (bias_.defined()) bias = bias_;
  if (!packed_) return at::linear(x, weight_, bias);
  return OneDnnFor(x.scalar_type(), x.device())->Apply(x, weight_, bias);
}

}  // namespace steer
