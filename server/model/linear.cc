#include "server/model/linear.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "server/model/panel_product.h"

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
    // The shape that showed it where it was seen to fail: the eighth of eight rows.
    constexpr int64_t kIn = 64, kOut = 96, kPlaces = 8;
    const at::Tensor packed = Pack(Varied({kOut, kIn}, type));
    for (const int64_t rows : {kPlaces, 4 * kPlaces}) {
      at::Tensor x = Varied({rows, kIn}, type);
      for (int64_t place = 1; place < rows; ++place) x.select(0, place).copy_(x.select(0, 0));
      const at::Tensor y = Apply(x, packed, std::nullopt);
      for (int64_t place = 1; place < rows; ++place) {
        TORCH_CHECK(y.select(0, place).equal(y.select(0, 0)), "a row's bits depend on its place");
      }
    }
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
  // Numbers whose products round.
  static at::Tensor Varied(at::IntArrayRef shape, at::ScalarType type) {
    at::Tensor x = at::empty(shape, at::kFloat);
    float* data = x.mutable_data_ptr<float>();
    for (int64_t i = 0; i < x.numel(); ++i) data[i] = std::sin(1.7f * static_cast<float>(i + 1));
    return x.to(type);
  }
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

// On a CPU; null if it cannot run there.
const OneDnn* OneDnnFor(at::ScalarType type) {
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

LinearKernel KernelFor(at::ScalarType type, at::Device device) {
  if (!device.is_cpu() || (type != at::kFloat && type != at::kBFloat16)) {
    return LinearKernel::kPlain;
  }
  return OneDnnFor(type) != nullptr ? LinearKernel::kOneDnn : LinearKernel::kPanels;
}

template <typename T>
at::Tensor Panels(const at::Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1);
  at::Tensor packed = at::empty({PackedSize(out, in)}, weight.options());
  PackPanels(weight.const_data_ptr<T>(), out, in, packed.mutable_data_ptr<T>());
  return packed;
}

template <typename T>
at::Tensor PanelProduct(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias,
                        int64_t in, int64_t out) {
  TORCH_CHECK(x.dim() == 2 && x.size(1) == in, "a product of ", in, " inputs was given ",
              x.sizes());
  const at::Tensor rows = x.contiguous();
  at::Tensor y = at::empty({rows.size(0), out}, rows.options());
  MultiplyPanels(rows.const_data_ptr<T>(), rows.size(0), in, packed.const_data_ptr<T>(),
                 bias.defined() ? bias.const_data_ptr<T>() : nullptr, out, y.mutable_data_ptr<T>());
  return y;
}

}  // namespace

std::string LinearKernelName(at::ScalarType type, at::Device device) {
  const LinearKernel kernel = KernelFor(type, device);
  if (kernel == LinearKernel::kPlain) return "at::linear";
  return kernel == LinearKernel::kOneDnn ? "mkldnn::_linear_pointwise, packed"
                                         : "panels of 16, sums of 256";
}

Linear::Linear(at::Tensor weight, at::Tensor bias) {
  const LinearKernel kernel = KernelFor(weight.scalar_type(), weight.device());
  *this = With(kernel, std::move(weight), std::move(bias));
}

Linear Linear::With(LinearKernel kernel, at::Tensor weight, at::Tensor bias) {
  Linear linear;
  linear.kernel_ = kernel;
  linear.out_ = weight.size(0);
  linear.in_ = weight.size(1);
  linear.bias_ = std::move(bias);
  if (kernel == LinearKernel::kOneDnn) {
    linear.weight_ = OneDnnFor(weight.scalar_type())->Pack(weight);
  } else if (kernel == LinearKernel::kPanels) {
    linear.weight_ =
        weight.scalar_type() == at::kFloat ? Panels<float>(weight) : Panels<c10::BFloat16>(weight);
  } else {
    linear.weight_ = std::move(weight);
  }
  return linear;
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  std::optional<at::Tensor> bias;
  if (bias_.defined()) bias = bias_;
  if (kernel_ == LinearKernel::kPlain) return at::linear(x, weight_, bias);
  if (kernel_ == LinearKernel::kOneDnn) {
    return OneDnnFor(x.scalar_type())->Apply(x, weight_, bias);
  }
  return x.scalar_type() == at::kFloat ? PanelProduct<float>(x, weight_, bias_, in_, out_)
                                       : PanelProduct<c10::BFloat16>(x, weight_, bias_, in_, out_);
}

}  // namespace steer
