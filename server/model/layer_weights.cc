#include "server/model/layer_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/model/tensor_plan.h"

namespace steer {
namespace {

at::ScalarType StoredType(TensorType type) {
  switch (type) {
    case TensorType::kFloat64:
      return at::kDouble;
    case TensorType::kFloat16:
      return at::kHalf;
    case TensorType::kBFloat16:
      return at::kBFloat16;
    default:
      return at::kFloat;  // CheckTensors lets no other type through
  }
}

class Loader {
 public:
  Loader(const ModelConfig& config, const Checkpoint& checkpoint, at::ScalarType type,
         at::Device device)
      : config_(config), checkpoint_(checkpoint), type_(type), device_(device) {}

  // Copies a tensor out of the mapping, rounded to the model's type.
  at::Tensor Matrix(const std::string& name) {
    const TensorView& view = checkpoint_.tensors().at(name);
    at::Tensor host = at::empty(view.shape, StoredType(view.type));
    if (!view.bytes.empty()) std::memcpy(host.data_ptr(), view.bytes.data(), view.bytes.size());
    parameters_ += view.elements();
    return host.to(device_, type_);
  }

  at::Tensor Gain(const std::string& name) {
    at::Tensor gain = Matrix(name).to(at::kFloat);
    return config_.norm_unit_offset ? gain + 1.0 : gain;
  }

  // Linear layers that read the same input, stacked in order.
  Linear Fused(int64_t layer, std::initializer_list<const char*> parts, bool bias) {
    std::vector<at::Tensor> weights, biases;
    for (const char* part : parts) {
      weights.push_back(Matrix(LayerTensor(layer, absl::StrCat(part, ".weight"))));
      if (bias) biases.push_back(Matrix(LayerTensor(layer, absl::StrCat(part, ".bias"))));
    }
    if (weights.size() == 1) return Linear(weights[0], bias ? biases[0] : at::Tensor());
    return Linear(at::cat(weights), bias ? at::cat(biases) : at::Tensor());
  }

  LayerWeights Layer(int64_t i) {
    const auto gain = [this, i](const char* part) {
      return Gain(LayerTensor(i, absl::StrCat(part, ".weight")));
    };
    LayerWeights layer;
    layer.input_norm = gain("input_layernorm");
    if (config_.post_norms) {
      layer.post_attention_norm = gain("post_attention_layernorm");
      layer.mlp_norm = gain("pre_feedforward_layernorm");
      layer.post_mlp_norm = gain("post_feedforward_layernorm");
    } else {
      layer.mlp_norm = gain("post_attention_layernorm");
    }
    if (config_.qk_norm) {
      layer.q_norm = gain("self_attn.q_norm");
      layer.k_norm = gain("self_attn.k_norm");
    }
    layer.qkv =
        Fused(i, {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, config_.qkv_bias);
    layer.output = Fused(i, {"self_attn.o_proj"}, config_.output_bias);
    layer.gate_up = Fused(i, {"mlp.gate_proj", "mlp.up_proj"}, config_.mlp_bias);
    layer.down = Fused(i, {"mlp.down_proj"}, config_.mlp_bias);
    return layer;
  }

  int64_t parameters() const { return parameters_; }

 private:
  const ModelConfig& config_;
  const Checkpoint& checkpoint_;
  const at::ScalarType type_;
  const at::Device device_;
  int64_t parameters_ = 0;
};

}  // namespace

ModelWeights LoadWeights(const ModelConfig& config, const Checkpoint& checkpoint,
                         at::ScalarType type, at::Device device) {
  Loader loader(config, checkpoint, type, device);
  ModelWeights weights;
  weights.embedding = loader.Matrix("model.embed_tokens.weight");
  weights.final_norm = loader.Gain("model.norm.weight");
  weights.head =
      Linear(config.tied_head ? weights.embedding : loader.Matrix("lm_head.weight"), at::Tensor());
  for (int64_t i = 0; i < config.layers; ++i) weights.layers.push_back(loader.Layer(i));
  weights.parameters = loader.parameters();
  return weights;
}

}  // namespace steer
