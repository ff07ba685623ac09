#include "reference_llama.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "server/weights/safetensors.h"

namespace steer::planted {
namespace {

// Rotates halves of the last dimension of [batch, heads, length, head_dim].
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const int64_t half = x.size(-1) / 2;
  const at::Tensor first = x.narrow(-1, 0, half);
  const at::Tensor second = x.narrow(-1, half, half);
  return at::cat({first * cosine - second * sine, second * cosine + first * sine}, -1);
}

at::Tensor Project(const at::Tensor& x, const at::Tensor& direction) {
  if (!direction.defined()) return x;
  const at::Tensor unit = direction / direction.norm();
  return x - x.matmul(unit).unsqueeze(-1) * unit;
}

}  // namespace

ReferenceLlama::ReferenceLlama(const PlantedFiles& files) {
  // Products are small: beside a busy neighbour a second thread waits more than it computes.
  at::set_num_threads(1);
  const Json config = *ParseJson(files.at("config.json"));
  layers_ = config["num_hidden_layers"];
  heads_ = config["num_attention_heads"];
  kv_heads_ = config["num_key_value_heads"];
  head_dim_ = config["head_dim"];
  epsilon_ = config["rms_norm_eps"];
  theta_ = config["rope_theta"];
  const Json generation = *ParseJson(files.at("generation_config.json"));
  end_of_turn_ = generation["eos_token_id"].get<std::vector<int32_t>>();
  const auto file = *SafetensorsFile::FromBytes(files.at("model.safetensors"), "model.safetensors");
  for (const auto& [name, view] : file->tensors()) {
    std::vector<float> values = *ToFloat32(view);
    weights_[name] = at::from_blob(values.data(), view.shape).clone();
  }
}

at::Tensor ReferenceLlama::Norm(const at::Tensor& x, const std::string& gain) const {
  const at::Tensor square = (x * x).mean(-1, true);
  return x * (square + epsilon_).rsqrt() * Get(gain);
}

at::Tensor ReferenceLlama::Attention(const at::Tensor& x, const std::string& prefix) const {
  const int64_t batch = x.size(0);
  const int64_t length = x.size(1);
  const at::Tensor exponent = at::arange(0, head_dim_, 2).to(at::kDouble) / -head_dim_;
  const at::Tensor angle =
      at::arange(length).to(at::kDouble).unsqueeze(1) * at::pow(theta_, exponent);
  const at::Tensor cosine = angle.cos().to(at::kFloat);
  const at::Tensor sine = angle.sin().to(at::kFloat);
  const auto split = [&](const char* name, int64_t heads) {
    return at::linear(x, Get(absl::StrCat(prefix, name, ".weight")))
        .view({batch, length, heads, head_dim_})
        .transpose(1, 2);
  };
  const at::Tensor q = Rotate(split("q_proj", heads_), cosine, sine);
  const int64_t group = heads_ / kv_heads_;
  const at::Tensor k = Rotate(split("k_proj", kv_heads_), cosine, sine).repeat_interleave(group, 1);
  const at::Tensor v = split("v_proj", kv_heads_).repeat_interleave(group, 1);
  const float never = -std::numeric_limits<float>::infinity();
  const at::Tensor mask = at::full({length, length}, never).triu(1);
  const at::Tensor scores =
      q.matmul(k.transpose(2, 3)) / std::sqrt(static_cast<double>(head_dim_)) + mask;
  const at::Tensor mixed = at::softmax(scores, -1).matmul(v).transpose(1, 2);
  return at::linear(mixed.reshape({batch, length, heads_ * head_dim_}),
                    Get(prefix + "o_proj.weight"));
}

ReferenceLlama::Last ReferenceLlama::Forward(const std::vector<std::vector<int32_t>>& ids,
                                             const Edit& edit) const {
  const c10::InferenceMode inference;
  const int64_t batch = static_cast<int64_t>(ids.size());
  const int64_t length = static_cast<int64_t>(ids[0].size());
  std::vector<int64_t> flat;
  for (const std::vector<int32_t>& row : ids) flat.insert(flat.end(), row.begin(), row.end());
  const at::Tensor index = at::from_blob(flat.data(), {batch * length}, at::kLong);
  at::Tensor x =
      at::index_select(Get("model.embed_tokens.weight"), 0, index).view({batch, length, -1});
  x = Project(x, edit.ablated);
  std::vector<at::Tensor> states;
  for (int64_t layer = 0; layer < layers_; ++layer) {
    const std::string prefix = absl::StrCat("model.layers.", layer, ".");
    if (edit.added.defined() && layer == edit.layer) x = x + edit.added;
    states.push_back(x.select(1, length - 1));
    const at::Tensor normed = Norm(x, prefix + "input_layernorm.weight");
    x = x + Project(Attention(normed, prefix + "self_attn."), edit.ablated);
    const at::Tensor y = Norm(x, prefix + "post_attention_layernorm.weight");
    const at::Tensor gated = at::silu(at::linear(y, Get(prefix + "mlp.gate_proj.weight"))) *
                             at::linear(y, Get(prefix + "mlp.up_proj.weight"));
    x = x + Project(at::linear(gated, Get(prefix + "mlp.down_proj.weight")), edit.ablated);
  }
  const at::Tensor last = Norm(x.select(1, length - 1), "model.norm.weight");
  return {at::stack(states), at::linear(last, Get("lm_head.weight"))};
}

std::vector<std::vector<int32_t>> ReferenceLlama::Continue(std::vector<std::vector<int32_t>> rows,
                                                           const Edit& edit, int count,
                                                           double* smallest_margin) const {
  std::vector<bool> ended(rows.size(), false);
  std::vector<std::vector<int32_t>> out(rows.size());
  for (int step = 0; step < count; ++step) {
    const c10::InferenceMode inference;
    const auto [largest, best] = Forward(rows, edit).logits.topk(2, -1);
    for (size_t i = 0; i < rows.size(); ++i) {
      const int32_t id = static_cast<int32_t>(best[i][0].item<int64_t>());
      const double margin = (largest[i][0] - largest[i][1]).item<double>();
      if (!ended[i] && smallest_margin != nullptr) {
        *smallest_margin = std::min(*smallest_margin, margin);
      }
      ended[i] = ended[i] || std::count(end_of_turn_.begin(), end_of_turn_.end(), id) > 0;
      rows[i].push_back(id);
      if (!ended[i]) out[i].push_back(id);
    }
    if (std::count(ended.begin(), ended.end(), false) == 0) break;
  }
  return out;
}

}  // namespace steer::planted
