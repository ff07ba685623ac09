#include "server/model/decoder.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/model/layer_weights.h"
#include "server/model/ops.h"
#include "server/model/tensor_plan.h"

namespace steer {
namespace {

class Transformer final : public Decoder {
 public:
  Transformer(ModelConfig config, ModelWeights weights, at::ScalarType type, at::Device device,
              int64_t kv_tokens)
      : config_(std::move(config)),
        weights_(std::move(weights)),
        type_(type),
        device_(device),
        positions_(std::min(config_.max_context, std::max<int64_t>(kv_tokens, 1))),
        arena_(at::empty({config_.layers, 2, kv_tokens, config_.kv_heads, config_.head_dim},
                         at::TensorOptions().dtype(type).device(device))) {
    for (const RopeConfig& rope : config_.ropes) {
      ropes_.push_back(MakeRopeTable(rope, config_.head_dim, positions_, device));
    }
  }

  const ModelConfig& config() const override { return config_; }
  int64_t parameters() const override { return weights_.parameters; }
  int64_t kv_bytes_per_token() const override {
    return config_.layers * 2 * config_.kv_heads * config_.head_dim *
           static_cast<int64_t>(c10::elementSize(type_));
  }

  at::Tensor Forward(const Step& step, SiteHook* hook) override {
    const StepLayout layout =
        MakeStepLayout(step, config_.vocabulary, positions_, arena_.size(2), device_);
    at::Tensor x = Embed(step.ids);
    if (hook != nullptr) {
      if (hook->WantsWrite(0)) hook->OnWrite(0, x);
      hook->OnStream(0, x);
    }
    for (int64_t i = 0; i < config_.layers; ++i) {
      const LayerWeights& layer = weights_.layers[static_cast<size_t>(i)];
      const int site = static_cast<int>(2 * i + 1);
      AddWrite(site, Attention(i, layer, layout, x), layer.post_attention_norm, hook, x);
      AddWrite(site + 1, Mlp(layer, x), layer.post_mlp_norm, hook, x);
    }
    return x;
  }

  at::Tensor Logits(const at::Tensor& x) override {
    at::Tensor logits =
        weights_.head(RmsNorm(x.contiguous(), NormOf(weights_.final_norm))).to(at::kFloat);
    if (config_.final_logit_softcap > 0) Softcap(logits, config_.final_logit_softcap);
    return logits;
  }

 private:
  Norm NormOf(const at::Tensor& gain) const {
    return {gain, config_.norm_epsilon, !config_.norm_unit_offset};
  }

  at::Tensor Embed(absl::Span<const int32_t> ids) const {
    at::Tensor index = at::empty({static_cast<int64_t>(ids.size())}, at::kInt);
    std::memcpy(index.data_ptr(), ids.data(), ids.size() * sizeof(int32_t));
    at::Tensor x = at::index_select(weights_.embedding, 0, index.to(device_)).to(type_);
    if (config_.embedding_scale != 1) {
      // The factor is a tensor of the model's type in transformers, and so rounded before the
      // product.
      const float scale = static_cast<float>(config_.embedding_scale);
      x.mul_(type_ == at::kBFloat16 ? static_cast<float>(at::BFloat16(scale)) : scale);
    }
    return x;
  }

  // `x` += write, with the hook's edits before and after.
  void AddWrite(int site, at::Tensor write, const at::Tensor& post_norm, SiteHook* hook,
                at::Tensor& x) const {
    if (post_norm.defined()) write = RmsNorm(write, NormOf(post_norm));
    if (hook != nullptr && hook->WantsWrite(site)) hook->OnWrite(site, write);
    x.add_(write);
    if (hook != nullptr) hook->OnStream(site, x);
  }

  at::Tensor Attention(int64_t i, const LayerWeights& layer, const StepLayout& layout,
                       const at::Tensor& x) {
    const LayerConfig& knobs = config_.layer[static_cast<size_t>(i)];
    AttentionShape shape;
    shape.heads = config_.heads;
    shape.kv_heads = config_.kv_heads;
    shape.head_dim = config_.head_dim;
    shape.window = knobs.window;
    shape.scale = static_cast<float>(config_.attention_scale != 0
                                         ? config_.attention_scale
                                         : 1 / std::sqrt(static_cast<double>(config_.head_dim)));
    shape.softcap = static_cast<float>(config_.attention_softcap);
    at::Tensor qkv = layer.qkv(RmsNorm(x, NormOf(layer.input_norm)));
    at::Tensor keys = arena_.select(0, i).select(0, 0);
    at::Tensor values = arena_.select(0, i).select(0, 1);
    RotateAndStore(qkv, {NormOf(layer.q_norm), NormOf(layer.k_norm)},
                   ropes_[static_cast<size_t>(knobs.rope)], layout, shape, keys, values);
    return layer.output(
        (device_.is_cpu() ? AttentionCpu : AttentionTorch)(qkv, keys, values, layout, shape));
  }

  at::Tensor Mlp(const LayerWeights& layer, const at::Tensor& x) const {
    return layer.down(Gate(layer.gate_up(RmsNorm(x, NormOf(layer.mlp_norm))), config_.activation));
  }

  const ModelConfig config_;
  const ModelWeights weights_;
  const at::ScalarType type_;
  const at::Device device_;
  const int64_t positions_;  // rows of the rotary tables: no row can be longer
  at::Tensor arena_;         // [layers, 2, kv_tokens, kv_heads, head_dim]
  std::vector<RopeTable> ropes_;
};

struct Placement {
  at::ScalarType type;
  at::Device device;
};

absl::StatusOr<Placement> ReadOptions(const ModelConfig& config, const DecoderOptions& options) {
  if (options.dtype != "float32" && options.dtype != "bfloat16") {
    return absl::InvalidArgumentError(
        absl::StrCat("dtype \"", options.dtype, "\" is neither float32 nor bfloat16"));
  }
  if (options.device != "cpu" && options.device != "cuda") {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", options.device, "\" is neither cpu nor cuda"));
  }
  // Far above any machine, and low enough that no product below overflows.
  constexpr int64_t kMaxArenaElements = int64_t{1} << 44;
  const int64_t per_token = config.layers * 2 * config.kv_heads * config.head_dim;
  if (options.kv_tokens < 1 || options.kv_tokens > kMaxArenaElements / per_token) {
    return absl::InvalidArgumentError(
        absl::StrCat("kv_tokens ", options.kv_tokens, " is outside [1, ",
                     kMaxArenaElements / per_token, "] for this model"));
  }
  return Placement{options.dtype == "float32" ? at::kFloat : at::kBFloat16,
                   options.device == "cpu" ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Load(const Checkpoint& checkpoint,
                                                       const DecoderOptions& options) {
  STEER_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(checkpoint.config()));
  return Load(std::move(config), checkpoint, options);
}

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Load(ModelConfig config,
                                                       const Checkpoint& checkpoint,
                                                       const DecoderOptions& options) {
  STEER_ASSIGN_OR_RETURN(Placement placement, ReadOptions(config, options));
  STEER_RETURN_IF_ERROR(CheckTensors(config, checkpoint.tensors()));
  try {
    c10::InferenceMode inference;
    STEER_ASSIGN_OR_RETURN(
        ModelWeights weights,
        LoadWeights(config, checkpoint, placement.type, placement.device));
    return std::make_unique<Transformer>(std::move(config), std::move(weights), placement.type,
                                         placement.device, options.kv_tokens);
  } catch (const c10::Error& e) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the model or its KV arena cannot be placed on ", options.device, " as ", options.dtype,
        " with kv_tokens ", options.kv_tokens, ": ", e.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory while loading the model");
  }
}

}  // namespace steer
