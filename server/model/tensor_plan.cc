#include "server/model/tensor_plan.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/weights/convert_floats.h"

namespace steer {
namespace {

constexpr char kEmbedding[] = "model.embed_tokens.weight";
constexpr char kHead[] = "lm_head.weight";

using Plan = std::map<std::string, std::vector<int64_t>>;

// Collects weight and bias of the linear layers of one block.
class LayerPlan {
 public:
  LayerPlan(int64_t layer, Plan* plan) : layer_(layer), plan_(plan) {}
  void Vector(const std::string& part, int64_t size) { Add(part + ".weight", {size}); }
  void Linear(const std::string& part, int64_t out, int64_t in, bool bias) {
    Add(part + ".weight", {out, in});
    if (bias) Add(part + ".bias", {out});
  }

 private:
  void Add(const std::string& part, std::vector<int64_t> shape) {
    (*plan_)[LayerTensor(layer_, part)] = std::move(shape);
  }
  const int64_t layer_;
  Plan* const plan_;
};

std::string Shown(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Of a tensor that the plan lacks. A head that it lacks is tied to the embedding.
bool IsHarmless(const std::map<std::string, TensorView>& tensors, const std::string& name) {
  if (absl::EndsWith(name, "rotary_emb.inv_freq")) return true;
  if (name != kHead) return false;
  auto embedding = tensors.find(kEmbedding);
  const TensorView& head = tensors.at(name);
  return embedding != tensors.end() && head.type == embedding->second.type &&
         head.shape == embedding->second.shape && head.bytes == embedding->second.bytes;
}

}  // namespace

std::string LayerTensor(int64_t layer, const std::string& part) {
  return absl::StrCat("model.layers.", layer, ".", part);
}

std::map<std::string, std::vector<int64_t>> TensorPlan(const ModelConfig& c) {
  Plan plan;
  plan[kEmbedding] = {c.vocabulary, c.hidden};
  plan["model.norm.weight"] = {c.hidden};
  if (!c.tied_head) plan[kHead] = {c.vocabulary, c.hidden};
  for (int64_t i = 0; i < c.layers; ++i) {
    LayerPlan layer(i, &plan);
    layer.Vector("input_layernorm", c.hidden);
    layer.Vector("post_attention_layernorm", c.hidden);
    if (c.post_norms) {
      layer.Vector("pre_feedforward_layernorm", c.hidden);
      layer.Vector("post_feedforward_layernorm", c.hidden);
    }
    layer.Linear("self_attn.q_proj", c.heads * c.head_dim, c.hidden, c.qkv_bias);
    layer.Linear("self_attn.k_proj", c.kv_heads * c.head_dim, c.hidden, c.qkv_bias);
    layer.Linear("self_attn.v_proj", c.kv_heads * c.head_dim, c.hidden, c.qkv_bias);
    layer.Linear("self_attn.o_proj", c.hidden, c.heads * c.head_dim, c.output_bias);
    if (c.qk_norm) {
      layer.Vector("self_attn.q_norm", c.head_dim);
      layer.Vector("self_attn.k_norm", c.head_dim);
    }
    layer.Linear("mlp.gate_proj", c.intermediate, c.hidden, c.mlp_bias);
    layer.Linear("mlp.up_proj", c.intermediate, c.hidden, c.mlp_bias);
    layer.Linear("mlp.down_proj", c.hidden, c.intermediate, c.mlp_bias);
  }
  return plan;
}

absl::Status CheckTensors(const ModelConfig& config,
                          const std::map<std::string, TensorView>& tensors) {
  const Plan plan = TensorPlan(config);
  std::vector<std::string> problems;
  for (const auto& [name, shape] : plan) {
    auto it = tensors.find(name);
    if (it == tensors.end()) {
      problems.push_back(absl::StrCat("missing ", name, " ", Shown(shape)));
    } else if (it->second.shape != shape) {
      problems.push_back(absl::StrCat("misshapen ", name, ": ", Shown(it->second.shape),
                                      ", config.json asks for ", Shown(shape)));
    } else if (!IsFloatType(it->second.type)) {
      problems.push_back(absl::StrCat("misshapen ", name, ": type ",
                                      TensorTypeName(it->second.type), ", not a float type"));
    }
  }
  for (const auto& [name, view] : tensors) {
    if (plan.count(name) == 0 && !IsHarmless(tensors, name)) {
      problems.push_back(absl::StrCat("unused ", name, " ", Shown(view.shape)));
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the checkpoint does not fit its config.json (",
                                                 problems.size(),
                                                 " tensors): ", absl::StrJoin(problems, "; ")));
}

}  // namespace steer
