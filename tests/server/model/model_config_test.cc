// config.json -> knobs, for each family, and every refusal.
#include "server/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/json.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Json Tiny(const std::string& name) {
  return ReadJsonFile(TinyCheckpoint(name) + "/config.json").value();
}

std::string Refusal(const Json& config) {
  auto parsed = ParseModelConfig(config);
  if (parsed.ok()) return "accepted";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(ModelConfigTest, Llama) {
  const ModelConfig c = ParseModelConfig(Tiny("llama")).value();
  EXPECT_EQ(c.family, "llama");
  EXPECT_EQ(c.sites(), 7);
  EXPECT_EQ(c.head_dim, 8);
  EXPECT_EQ(c.kv_heads, 2);
  EXPECT_FALSE(c.qkv_bias || c.output_bias || c.mlp_bias || c.tied_head || c.qk_norm ||
               c.post_norms);
  ASSERT_EQ(c.ropes.size(), 1u);
  EXPECT_EQ(c.ropes[0].llama3.factor, 8);
  EXPECT_EQ(c.ropes[0].llama3.original_context, 64);
  EXPECT_EQ(c.ropes[0].theta, 500);
  const ModelConfig bias = ParseModelConfig(Tiny("llama_bias")).value();
  EXPECT_TRUE(bias.qkv_bias && bias.output_bias && bias.mlp_bias);
  EXPECT_EQ(ParseModelConfig(Tiny("llama_tied"))->ropes[0].linear_factor, 2);
}

// The spelling of files that transformers 4 wrote.
TEST(ModelConfigTest, OlderRopeKeys) {
  Json config = Tiny("llama");
  config.erase("rope_parameters");
  EXPECT_EQ(ParseModelConfig(config)->ropes[0].theta, 10000);
  config["rope_theta"] = 500000.0;
  config["rope_scaling"] = nullptr;
  EXPECT_EQ(ParseModelConfig(config)->ropes[0].theta, 500000);
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 32.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
  const RopeConfig rope = ParseModelConfig(config)->ropes[0];
  EXPECT_EQ(rope.llama3.factor, 32);
  EXPECT_EQ(rope.theta, 500000);
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 4}};
  EXPECT_EQ(ParseModelConfig(config)->ropes[0].linear_factor, 4);
}

TEST(ModelConfigTest, QwenWindows) {
  EXPECT_TRUE(ParseModelConfig(Tiny("qwen2"))->qkv_bias);
  EXPECT_FALSE(ParseModelConfig(Tiny("qwen2"))->output_bias);
  EXPECT_EQ(ParseModelConfig(Tiny("qwen2"))->layer[2].window, 0);
  Json config = Tiny("qwen2_window");
  ModelConfig c = ParseModelConfig(config).value();
  EXPECT_EQ(c.layer[0].window, 0);
  EXPECT_EQ(c.layer[1].window, 7);
  config.erase("layer_types");
  EXPECT_EQ(ParseModelConfig(config)->layer[2].window, 7);
  config["use_sliding_window"] = false;
  EXPECT_EQ(ParseModelConfig(config)->layer[2].window, 0);
  EXPECT_TRUE(ParseModelConfig(Tiny("qwen3"))->qk_norm);
}

TEST(ModelConfigTest, Gemma3) {
  Json config = Tiny("gemma3");
  const ModelConfig c = ParseModelConfig(config).value();
  EXPECT_TRUE(c.norm_unit_offset && c.post_norms && c.qk_norm && c.tied_head);
  EXPECT_EQ(c.activation, Activation::kGeluTanh);
  EXPECT_DOUBLE_EQ(c.attention_scale, 1 / std::sqrt(24.0));
  EXPECT_DOUBLE_EQ(c.embedding_scale, std::sqrt(48.0));
  EXPECT_EQ(c.final_logit_softcap, 9);
  EXPECT_EQ(c.layer[0].window, 6);
  EXPECT_EQ(c.layer[1].window, 0);
  EXPECT_NE(c.layer[0].rope, c.layer[1].rope);
  EXPECT_EQ(c.ropes[static_cast<size_t>(c.layer[1].rope)].theta, 1e6);
  EXPECT_EQ(c.ropes[static_cast<size_t>(c.layer[0].rope)].theta, 1e4);
  // As in the published checkpoints.
  for (const char* key : {"layer_types", "rope_parameters", "_sliding_window_pattern"})
    config.erase(key);
  config["rope_theta"] = 2e6;
  config["rope_local_base_freq"] = 2e4;
  config["sliding_window_pattern"] = 2;
  config["cache_implementation"] = "hybrid";
  const ModelConfig old = ParseModelConfig(config).value();
  EXPECT_EQ(old.layer[0].window, 6);
  EXPECT_EQ(old.layer[1].window, 0);
  EXPECT_EQ(old.ropes[static_cast<size_t>(old.layer[1].rope)].theta, 2e6);
  EXPECT_EQ(old.ropes[static_cast<size_t>(old.layer[0].rope)].theta, 2e4);
}

TEST(ModelConfigTest, RefusesOtherFamiliesByName) {
  EXPECT_THAT(Refusal({{"model_type", "mamba"}}),
              AllOf(HasSubstr("\"model_type\" = \"mamba\""), HasSubstr("llama, qwen2")));
  EXPECT_THAT(Refusal(Json::object()), HasSubstr("model_type"));
  EXPECT_THAT(Refusal({{"model_type", 7}}), HasSubstr("model_type"));
  EXPECT_THAT(Refusal(Json::array()), HasSubstr("not a JSON object"));
}

struct Change {
  const char* model;
  const char* key;
  Json value;
};

TEST(ModelConfigTest, RefusesWhatItDoesNotUnderstandByKey) {
  const Json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}};
  const Json llama3_without = {{"rope_type", "llama3"}, {"factor", 8.0}};
  const Json extra = {{"rope_type", "default"}, {"mystery", 1}};
  const Json partial = {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}};
  const Change changes[] = {
      {"llama", "quantization_config", {{"bits", 4}}},
      {"llama", "never_seen", 1},
      {"llama", "auto_map", {{"AutoModel", "x"}}},
      {"llama", "hidden_act", "gelu"},
      {"llama", "attention_bias", "yes"},
      {"llama", "pretraining_tp", 2},
      {"llama", "rope_interleaved", true},
      {"llama", "rope_parameters", yarn},
      {"llama", "rope_parameters", llama3_without},
      {"llama", "rope_parameters", extra},
      {"llama", "rope_parameters", partial},
      {"llama", "rope_parameters", 3},
      {"llama", "rope_theta", 77},
      {"llama", "rope_scaling", yarn},
      {"llama", "rms_norm_eps", 0},
      {"llama", "num_key_value_heads", 4},
      {"llama", "head_dim", 7},
      {"qwen2", "layer_types", Json::array({"full_attention"})},
      {"qwen2", "layer_types",
       Json::array({"full_attention", "chunked_attention", "full_attention"})},
      {"qwen2", "layer_types",
       Json::array({"full_attention", "sliding_attention", "full_attention"})},
      {"qwen2", "layer_types", "full_attention"},
      {"qwen2_window", "sliding_window", 0},
      {"gemma3", "use_bidirectional_attention", true},
      {"gemma3", "hidden_activation", "silu"},
      {"gemma3", "query_pre_attn_scalar", 0},
      {"gemma3", "final_logit_softcapping", -1},
      {"gemma3", "rope_local_base_freq", 10000},
  };
  for (const Change& change : changes) {
    Json config = Tiny(change.model);
    config[change.key] = change.value;
    EXPECT_THAT(Refusal(config), HasSubstr(std::string("\"") + change.key)) << change.value;
  }
}

TEST(ModelConfigTest, PrivateKeysAreHarmless) {
  Json config = Tiny("llama");
  config["_model_name_or_path"] = "tiny";
  config["torch_dtype"] = "bfloat16";
  EXPECT_EQ(Refusal(config), "accepted");
  config[""] = 1;
  EXPECT_THAT(Refusal(config), HasSubstr("not understood"));
}

TEST(ModelConfigTest, RequiresEverySize) {
  for (const char* key : {"hidden_size", "num_hidden_layers", "num_attention_heads",
                          "intermediate_size", "vocab_size", "max_position_embeddings"}) {
    Json config = Tiny("llama");
    config.erase(key);
    EXPECT_THAT(Refusal(config), HasSubstr(std::string("\"") + key + "\": is required"));
  }
}

TEST(ModelConfigTest, AllProblemsComeTogether) {
  Json config = Tiny("llama");
  config["hidden_act"] = "relu";
  config["one_more"] = 5;
  EXPECT_THAT(Refusal(config), AllOf(HasSubstr("hidden_act"), HasSubstr("one_more")));
}

}  // namespace
}  // namespace steer
