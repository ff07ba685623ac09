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

TEST(ModelConfigTest, OneThetaMayStandInBothPlaces) {
  Json config = Tiny("llama");
  config["rope_theta"] = config["rope_parameters"]["rope_theta"];
  const auto parsed = ParseModelConfig(config);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->ropes[0].theta, 500);
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
  // null is not absent: it means no window, and absent means 4096.
  config["use_sliding_window"] = true;
  config["sliding_window"] = nullptr;
  EXPECT_EQ(ParseModelConfig(config)->layer[2].window, 0);
  config.erase("sliding_window");
  EXPECT_EQ(ParseModelConfig(config)->layer[2].window, 4096);
}

TEST(ModelConfigTest, Mistral) {
  Json config = Tiny("mistral");
  const ModelConfig c = ParseModelConfig(config).value();
  for (const LayerConfig& layer : c.layer) EXPECT_EQ(layer.window, 13);
  EXPECT_EQ(c.head_dim, 10);
  EXPECT_FALSE(c.qkv_bias || c.output_bias || c.mlp_bias || c.tied_head);
  EXPECT_TRUE(ParseModelConfig(Tiny("mistral_tied"))->tied_head);
  EXPECT_EQ(ParseModelConfig(Tiny("mistral_tied"))->layer[3].window, 0);
  config.erase("sliding_window");
  EXPECT_EQ(ParseModelConfig(config)->layer[0].window, 4096);
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
              AllOf(HasSubstr("\"model_type\" = \"mamba\""), HasSubstr("llama, mistral, qwen2")));
  EXPECT_THAT(Refusal({{"model_type", "gemma3"}, {"text_config", Json::object()}}),
              AllOf(HasSubstr("\"gemma3\""), HasSubstr("vision tower"), HasSubstr("gemma3_text")));
  EXPECT_THAT(Refusal({{"model_type", "mixtral"}}), HasSubstr("mixes experts; only llama"));
  EXPECT_THAT(Refusal({{"model_type", "gemma2"}}), HasSubstr("softcaps its attention"));
  EXPECT_THAT(Refusal(Json::object()), HasSubstr("model_type"));
  EXPECT_THAT(Refusal({{"model_type", 7}}), HasSubstr("model_type"));
  EXPECT_THAT(Refusal(Json::array()), HasSubstr("not a JSON object"));
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
