#include "server/model/layer_weights.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/model/tensor_plan.h"
#include "server/weights/convert_floats.h"

namespace steer {
namespace {

// Elements that one thread converts at a time: a buffer of them stays in its cache.
constexpr int64_t kChunk = int64_t{1} << 18;

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

// Reads tensors straight from the mapping into the memory where they stay, and lets their pages go:
// nothing is held twice but the tensor at hand. After a failure the methods return tensors of no
// meaning.
class Loader {
 public:
  Loader(const ModelConfig& config, const Checkpoint& checkpoint, at::ScalarType type,
         at::Device device)
      : config_(config), checkpoint_(checkpoint), type_(type), device_(device) {}

  // Tensors stacked by their first dimension, on the host, in the model's type.
  at::Tensor Stacked(const std::vector<std::string>& names) {
    std::vector<int64_t> shape = View(names[0]).shape;
    for (size_t i = 1; i < names.size(); ++i) shape[0] += View(names[i]).shape[0];
    at::Tensor out = at::empty(shape, type_);
    char* to = static_cast<char*>(out.data_ptr());
    for (const std::string& name : names) {
      Convert(name, to);
      to += View(name).elements() * static_cast<int64_t>(c10::elementSize(type_));
    }
    return out;
  }
  at::Tensor Matrix(const std::string& name) { return Stacked({name}).to(device_); }

  // The bytes as they are stored; they have been checked.
  at::Tensor Stored(const std::string& name) {
    const TensorView& view = View(name);
    at::Tensor out = at::empty(view.shape, StoredType(view.type));
    std::memcpy(out.data_ptr(), view.bytes.data(), view.bytes.size());
    checkpoint_.Release(view.bytes);
    return out.to(device_);
  }

  at::Tensor Gain(const std::string& name) {
    at::Tensor gain = Matrix(name).to(at::kFloat);
    return config_.norm_unit_offset ? gain + 1.0 : gain;
  }

  // Linear layers that read the same input, stacked in order.
  Linear Fused(int64_t layer, std::initializer_list<const char*> parts, bool bias) {
    std::vector<std::string> weights, biases;
    for (const char* part : parts) {
      weights.push_back(LayerTensor(layer, absl::StrCat(part, ".weight")));
      biases.push_back(LayerTensor(layer, absl::StrCat(part, ".bias")));
    }
    return Linear(Stacked(weights).to(device_), bias ? Stacked(biases).to(device_) : at::Tensor());
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
  const absl::Status& status() const { return status_; }
  const TensorView& View(const std::string& name) const { return checkpoint_.tensors().at(name); }

 private:
  // Writes a tensor to `out` in the model's type.
  void Convert(const std::string& name, char* out) {
    if (!status_.ok()) return;
    const TensorView& view = View(name);
    const ModelType type = type_ == at::kFloat ? ModelType::kFloat32 : ModelType::kBFloat16;
    const int64_t size = static_cast<int64_t>(c10::elementSize(type_));
    const int64_t elements = view.elements();
    const int64_t chunks = (elements + kChunk - 1) / kChunk;
    // By chunk: the first element that is not finite, or the chunk's end.
    std::vector<int64_t> found(static_cast<size_t>(chunks));
    at::parallel_for(0, chunks, 1, [&](int64_t from, int64_t to) {
      for (int64_t chunk = from; chunk < to; ++chunk) {
        const int64_t begin = chunk * kChunk, count = std::min(kChunk, elements - begin);
        found[static_cast<size_t>(chunk)] =
            ConvertFloats(view, begin, count, type, out + begin * size);
      }
    });
    parameters_ += elements;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const int64_t bad = found[static_cast<size_t>(chunk)];
      if (bad == std::min((chunk + 1) * kChunk, elements)) continue;
      status_ =
          absl::InvalidArgumentError(absl::StrCat(checkpoint_.PathOf(view), ": tensor \"", name,
                                                  "\" ", DescribeNonFinite(view, bad, type)));
      break;
    }
    checkpoint_.Release(view.bytes);
  }

  const ModelConfig& config_;
  const Checkpoint& checkpoint_;
  const at::ScalarType type_;
  const at::Device device_;
  int64_t parameters_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<ModelWeights> LoadWeights(const ModelConfig& config, const Checkpoint& checkpoint,
                                         at::ScalarType type, at::Device device) {
  const std::string embedding = "model.embed_tokens.weight";
  Loader loader(config, checkpoint, type, device);
  ModelWeights weights;
  // The largest tensors first, while nothing else is there.
  weights.embedding = loader.Matrix(embedding);
  weights.head =
      Linear(config.tied_head ? weights.embedding : loader.Matrix("lm_head.weight"), at::Tensor());
  // Looking a row up widens it as well, and exactly. Not where the head shares these bytes.
  const at::ScalarType stored = StoredType(loader.View(embedding).type);
  if (c10::elementSize(stored) < c10::elementSize(type) &&
      !(config.tied_head && !weights.head.packed())) {
    weights.embedding = at::Tensor();
    weights.embedding = loader.Stored(embedding);
  }
  weights.final_norm = loader.Gain("model.norm.weight");
  for (int64_t i = 0; i < config.layers && loader.status().ok(); ++i) {
    weights.layers.push_back(loader.Layer(i));
  }
  if (!loader.status().ok()) return loader.status();
  weights.parameters = loader.parameters();
  return weights;
}

}  // namespace steer
