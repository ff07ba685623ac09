// Every key that could change the forward pass and is not built is refused by its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/json.h"
#include "server/model/model_config.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

struct Change {
  const char* model;
  const char* key;  // what the error must name
  Json value;
};

Json RopeOf(const char* type, Json more = Json::object()) {
  more["rope_type"] = type;
  more["factor"] = 4.0;
  return more;
}

const Change kNumbersAndSwitches[] = {
    {"llama", "hidden_act", "gelu"},
    {"llama", "hidden_act", "relu2"},
    {"qwen2", "hidden_act", "gelu_pytorch_tanh"},
    {"mistral", "hidden_act", "quick_gelu"},
    {"gemma3", "hidden_activation", "silu"},
    {"gemma3", "hidden_activation", "gelu"},  // the exact one, not tanh's
    {"gemma3", "hidden_act", "relu"},
    {"llama", "attention_bias", "yes"},
    {"llama", "pretraining_tp", 2},
    {"llama", "rms_norm_eps", 0},
    {"llama", "rms_norm_eps", 1.0},
    {"llama", "rms_norm_eps", "1e-5"},
    {"llama", "num_key_value_heads", 4},
    {"llama", "head_dim", 7},
    {"llama", "tie_word_embeddings", 1},
    {"gemma3", "query_pre_attn_scalar", 0},
    {"gemma3", "final_logit_softcapping", -1},
    {"gemma3", "final_logit_softcapping", 0},
    {"gemma3", "attn_logit_softcapping", 50.0},
    {"gemma3", "use_bidirectional_attention", true},
};

const Change kRotary[] = {
    {"llama", "rope_interleaved", true},
    {"llama", "rope_parameters.rope_type", RopeOf("yarn")},
    {"llama", "rope_parameters.rope_type", RopeOf("dynamic")},
    {"llama", "rope_parameters.rope_type", RopeOf("longrope")},
    {"llama", "rope_parameters.rope_type", RopeOf("proportional")},
    {"llama", "rope_parameters.rope_type", RopeOf("mrope")},
    {"llama", "rope_parameters.low_freq_factor", RopeOf("llama3")},
    {"llama", "rope_parameters.mystery", {{"rope_type", "default"}, {"mystery", 1}}},
    {"llama",
     "rope_parameters.partial_rotary_factor",
     {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}},
    {"llama",
     "rope_parameters.partial_rotary_factor",
     {{"rope_type", "default"}, {"partial_rotary_factor", "half"}}},
    {"llama", "rope_parameters.factor", {{"rope_type", "linear"}}},
    {"llama", "rope_parameters.full_attention", {{"full_attention", RopeOf("linear")}}},
    {"llama", "rope_parameters", 3},
    {"llama", "rope_theta", 77},
    {"llama", "rope_scaling", RopeOf("linear")},  // beside rope_parameters
    {"llama_deep", "rope_scaling.rope_type", RopeOf("yarn", {{"attention_factor", 1.2}})},
    {"llama_deep", "rope_scaling.type", {{"type", "dynamic"}, {"factor", 2.0}}},
    {"llama_deep", "rope_scaling.type", RopeOf("linear", {{"type", "dynamic"}})},
    {"llama_deep", "partial_rotary_factor", 0.25},
    {"qwen2", "use_mrope", true},
    {"gemma3", "rope_local_base_freq", 10000},
    {"gemma3",
     "rope_parameters.sliding_attention.rope_type",
     {{"full_attention", RopeOf("default")}, {"sliding_attention", RopeOf("yarn")}}},
    {"gemma3", "rope_parameters.rope_theta", {{"rope_type", "default"}, {"rope_theta", 1e6}}},
    {"gemma3_deep", "rope_scaling.rope_type", RopeOf("dynamic")},
};

const Change kWindows[] = {
    {"llama", "sliding_window", 128},
    {"llama", "layer_types", Json::array({"full_attention", "full_attention", "full_attention"})},
    {"mistral", "layer_types",
     Json::array({"full_attention", "sliding_attention", "sliding_attention"})},
    {"mistral", "sliding_window", 0},
    {"mistral", "sliding_window", Json::array({64})},
    {"qwen2", "layer_types", Json::array({"full_attention"})},
    {"qwen2", "layer_types",
     Json::array({"full_attention", "chunked_attention", "full_attention"})},
    {"qwen2", "layer_types", Json::array({"full_attention", "linear_attention", "full_attention"})},
    {"qwen2", "layer_types",
     Json::array({"full_attention", "sliding_attention", "full_attention"})},
    {"qwen2", "layer_types", "full_attention"},
    {"qwen2", "layer_types", Json::array({"full_attention", 1, "full_attention"})},
    {"qwen2_window", "sliding_window", 0},
    {"gemma3", "sliding_window", nullptr},
    {"gemma3_deep", "sliding_window_pattern", 0},
};

// Keys of other decoders, or of what wraps one.
const Change kForeign[] = {
    {"llama", "quantization_config", {{"bits", 4}}},
    {"qwen3", "quantization_config", {{"quant_method", "fp8"}}},
    {"mistral", "quantization", {{"group_size", 64}}},
    {"llama", "never_seen", 1},
    {"llama", "auto_map", {{"AutoModel", "x"}}},
    {"qwen2", "num_experts", 60},
    {"qwen3", "num_experts_per_tok", 8},
    {"mistral", "num_local_experts", 8},
    {"llama", "embedding_multiplier", 12.0},
    {"llama", "residual_multiplier", 0.22},
    {"llama", "logits_scaling", 8.0},
    {"llama", "attention_multiplier", 0.1},
    {"llama", "logit_scale", 0.0625},
    {"llama", "no_rope_layers", Json::array({1, 1, 0})},
    {"llama", "attention_chunk_size", 8192},
    {"llama", "use_qk_norm", true},
    {"llama", "layer_norm_eps", 1e-5},
    {"llama", "per_layer_config", Json::array()},
    {"llama", "original_max_position_embeddings", 64},
    {"qwen2", "dual_chunk_attention_config", {{"chunk_size", 262144}}},
    {"qwen2", "is_causal", false},
    {"qwen2", "final_logit_softcapping", 30.0},
    {"qwen2", "qk_layernorm", true},
    {"mistral", "attention_bias", true},
    {"qwen3", "mlp_bias", true},
    {"gemma3", "vision_config", {{"hidden_size", 1152}}},
    {"gemma3", "altup_num_inputs", 4},
    {"gemma3", "num_kv_shared_layers", 10},
};

class ConfigRefusalTest : public testing::Test {
 protected:
  void ExpectRefused(absl::Span<const Change> changes) {
    for (const Change& change : changes) {
      Json config = ReadJsonFile(TinyCheckpoint(change.model) + "/config.json").value();
      ASSERT_TRUE(ParseModelConfig(config).ok()) << change.model;
      const std::string key(change.key);
      config[key.substr(0, key.find('.'))] = change.value;
      auto parsed = ParseModelConfig(config);
      ASSERT_FALSE(parsed.ok()) << change.model << ": " << key << " = " << change.value;
      EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(parsed.status().message()), testing::HasSubstr("\"" + key))
          << change.model;
    }
  }
};

TEST_F(ConfigRefusalTest, NumbersAndSwitches) { ExpectRefused(kNumbersAndSwitches); }
TEST_F(ConfigRefusalTest, Rotary) { ExpectRefused(kRotary); }
TEST_F(ConfigRefusalTest, Windows) { ExpectRefused(kWindows); }
TEST_F(ConfigRefusalTest, LayersSlideWithoutAWindow) {
  Json config = ReadJsonFile(TinyCheckpoint("qwen2_window") + "/config.json").value();
  config["sliding_window"] = nullptr;
  EXPECT_THAT(std::string(ParseModelConfig(config).status().message()),
              testing::HasSubstr("although sliding_window is null"));
}
TEST_F(ConfigRefusalTest, Foreign) { ExpectRefused(kForeign); }

TEST_F(ConfigRefusalTest, LongValuesAndLongListsAreCut) {
  const Json config = ReadJsonFile(TinyCheckpoint("llama") + "/config.json").value();
  Json one = config, many = config;
  one["never_seen"] = std::string(100, 'x');
  EXPECT_THAT(std::string(ParseModelConfig(one).status().message()),
              testing::HasSubstr("\"never_seen\" = \"" + std::string(76, 'x') + "...: is not"));
  for (int i = 100; i < 200; ++i) many[absl::StrCat("never_seen_", i)] = i;
  EXPECT_THAT(std::string(ParseModelConfig(many).status().message()),
              testing::AllOf(testing::HasSubstr("never_seen_100"),
                             testing::Not(testing::HasSubstr("never_seen_199")),
                             testing::EndsWith(" more")));
  one["never_seen"] = nullptr;  // as good as absent
  EXPECT_TRUE(ParseModelConfig(one).ok());
}

TEST_F(ConfigRefusalTest, HeadsMustDivideTheStreamWithoutAHeadDim) {
  Json config = ReadJsonFile(TinyCheckpoint("llama") + "/config.json").value();
  config.erase("head_dim");
  config["num_attention_heads"] = config["num_key_value_heads"] = 5;
  EXPECT_THAT(std::string(ParseModelConfig(config).status().message()),
              testing::HasSubstr("must divide hidden_size 48 where no head_dim is given"));
  config = ReadJsonFile(TinyCheckpoint("gemma3") + "/config.json").value();
  config.erase("head_dim");
  config["num_attention_heads"] = config["num_key_value_heads"] = 5;
  ASSERT_TRUE(ParseModelConfig(config).ok()) << ParseModelConfig(config).status();
  EXPECT_EQ(ParseModelConfig(config)->head_dim, 256);  // Gemma's default, whatever the stream
}

// The default of head_dim has bounds of its own.
TEST_F(ConfigRefusalTest, HeadsThatAreTooWideWithoutAHeadDim) {
  Json config = ReadJsonFile(TinyCheckpoint("llama") + "/config.json").value();
  config.erase("head_dim");
  config["num_attention_heads"] = config["num_key_value_heads"] = 1;
  for (const int hidden : {1, 1026, 65536}) {
    config["hidden_size"] = hidden;
    EXPECT_THAT(std::string(ParseModelConfig(config).status().message()),
                testing::HasSubstr(absl::StrCat("is ", hidden, " but must be even and in")));
  }
  config["hidden_size"] = 1024;
  EXPECT_TRUE(ParseModelConfig(config).ok()) << ParseModelConfig(config).status();
}

}  // namespace
}  // namespace steer
