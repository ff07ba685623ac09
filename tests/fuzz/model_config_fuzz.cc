// server/model: config.json to a configuration, and the tensors that it asks for. No torch.
#include "server/model/model_config.h"

#include "common/json.h"
#include "server/model/tensor_plan.h"
#include "tests/fuzz/check.h"

namespace {

// A plan has about a dozen tensors a layer.
constexpr int64_t kPlannedLayers = 16;

void CheckConfig(const steer::ModelConfig& c) {
  FUZZ_CHECK(c.layers > 0 && c.hidden > 0 && c.heads > 0 && c.kv_heads > 0 && c.intermediate > 0);
  FUZZ_CHECK(c.vocabulary > 0 && c.max_context > 0 && c.head_dim > 0 && c.head_dim % 2 == 0);
  FUZZ_CHECK(c.heads % c.kv_heads == 0);
  FUZZ_CHECK(c.norm_epsilon > 0 && c.attention_scale >= 0 && c.embedding_scale > 0);
  FUZZ_CHECK(static_cast<int64_t>(c.layer.size()) == c.layers && !c.ropes.empty());
  for (const steer::LayerConfig& layer : c.layer) {
    FUZZ_CHECK(layer.window >= 0);
    FUZZ_CHECK(layer.rope >= 0 && static_cast<size_t>(layer.rope) < c.ropes.size());
  }
  for (const steer::RopeConfig& rope : c.ropes) {
    FUZZ_CHECK(rope.theta >= 1 && rope.linear_factor >= 1 && rope.llama3.factor >= 1);
    FUZZ_CHECK(rope.llama3.high_frequency_factor > rope.llama3.low_frequency_factor);
  }
}

void CheckPlan(const steer::ModelConfig& config) {
  std::map<std::string, steer::TensorView> tensors;
  for (const auto& [name, shape] : steer::TensorPlan(config)) {
    for (const int64_t size : shape) FUZZ_CHECK(size > 0);
    tensors[name] = {steer::TensorType::kBFloat16, shape, {}};
  }
  FUZZ_CHECK(steer::CheckTensors(config, tensors).ok());
  const std::string first = tensors.begin()->first;
  tensors.begin()->second.shape.back() += 1;
  steer::fuzz::CheckRefusal(steer::CheckTensors(config, tensors), first);
  tensors.erase(first);
  steer::fuzz::CheckRefusal(steer::CheckTensors(config, tensors), first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = steer::ParseJson(steer::fuzz::Text(data, size));
  if (!json.ok()) return 0;
  const auto config = steer::ParseModelConfig(*json);
  if (!config.ok()) {
    steer::fuzz::CheckRefusal(config.status(), "config.json: ");
    return 0;
  }
  CheckConfig(*config);
  if (config->layers <= kPlannedLayers) CheckPlan(*config);
  return 0;
}
