// config.json as the families' makers publish it: the keys and spellings of each, and what they mean.
#include <gtest/gtest.h>

#include <cmath>

#include "common/json.h"
#include "server/model/model_config.h"

namespace steer {
namespace {

ModelConfig Parse(const char* text) {
  auto parsed = ParseModelConfig(Json::parse(text));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : ModelConfig{};
}

TEST(PublishedConfigTest, Qwen25) {
  const ModelConfig c = Parse(R"({"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0,
      "bos_token_id": 151643, "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 1536,
      "initializer_range": 0.02, "intermediate_size": 8960, "max_position_embeddings": 32768,
      "max_window_layers": 21, "model_type": "qwen2", "num_attention_heads": 12,
      "num_hidden_layers": 28, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
      "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
      "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": true,
      "use_sliding_window": false, "vocab_size": 151936})");
  EXPECT_EQ(c.sites(), 57);
  EXPECT_EQ(c.head_dim, 128);
  EXPECT_TRUE(c.qkv_bias && c.tied_head);
  EXPECT_EQ(c.layer[27].window, 0);
  EXPECT_EQ(c.ropes[0].theta, 1e6);
}

TEST(PublishedConfigTest, Qwen3) {
  const ModelConfig c = Parse(R"({"architectures": ["Qwen3ForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128,
      "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.02,
      "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
      "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
      "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
      "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
      "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false,
      "vocab_size": 151936})");
  EXPECT_EQ(c.head_dim * c.heads, 2048);
  EXPECT_TRUE(c.qk_norm && c.tied_head);
  EXPECT_FALSE(c.qkv_bias);
}

TEST(PublishedConfigTest, Llama32) {
  const ModelConfig c = Parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009],
      "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
      "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
      "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
      "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
      "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                       "original_max_position_embeddings": 8192, "rope_type": "llama3"},
      "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
      "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256})");
  EXPECT_EQ(c.ropes[0].theta, 5e5);
  EXPECT_EQ(c.ropes[0].llama3.factor, 32);
  EXPECT_EQ(c.ropes[0].llama3.original_context, 8192);
  EXPECT_EQ(c.norm_epsilon, 1e-5);
  EXPECT_TRUE(c.tied_head);
}

TEST(PublishedConfigTest, SmolLM2) {
  const ModelConfig c = Parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
      "hidden_size": 576, "initializer_range": 0.041666666666666664, "intermediate_size": 1536,
      "is_llama_config": true, "max_position_embeddings": 8192, "mlp_bias": false,
      "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30,
      "num_key_value_heads": 3, "pad_token_id": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
      "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000,
      "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.42.3",
      "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, "use_cache": true,
      "vocab_size": 49152})");
  EXPECT_EQ(c.sites(), 61);
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_EQ(c.ropes[0].theta, 1e5);
}

TEST(PublishedConfigTest, Mistral7B) {
  const char* text = R"({"architectures": ["MistralForCausalLM"], "attention_dropout": 0.0,
      "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096,
      "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768,
      "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32,
      "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
      "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
      "transformers_version": "4.42.0.dev0", "use_cache": true, "vocab_size": 32768})";
  EXPECT_EQ(Parse(text).layer[31].window, 0);
  Json first = Json::parse(text);
  first["sliding_window"] = 4096;
  EXPECT_EQ(ParseModelConfig(first)->layer[0].window, 4096);
  Json nemo = Json::parse(text);
  nemo["head_dim"] = 128;
  nemo["hidden_size"] = 5120;
  EXPECT_EQ(ParseModelConfig(nemo)->head_dim, 128);
}

TEST(PublishedConfigTest, Gemma3) {
  const ModelConfig c = Parse(R"({"architectures": ["Gemma3ForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "attn_logit_softcapping": null, "bos_token_id": 2,
      "cache_implementation": "hybrid", "eos_token_id": [1, 106], "final_logit_softcapping": null,
      "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152,
      "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 32768,
      "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 26,
      "num_key_value_heads": 1, "pad_token_id": 0, "query_pre_attn_scalar": 256,
      "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": null,
      "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6,
      "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "use_cache": true,
      "vocab_size": 262144})");
  EXPECT_TRUE(c.tied_head && c.post_norms && c.qk_norm && c.norm_unit_offset);
  EXPECT_DOUBLE_EQ(c.embedding_scale, std::sqrt(1152.0));
  for (size_t i = 0; i < 26; ++i) {
    const bool full = i == 5 || i == 11 || i == 17 || i == 23;
    EXPECT_EQ(c.layer[i].window, full ? 0 : 512) << "layer " << i;
    EXPECT_EQ(c.ropes[static_cast<size_t>(c.layer[i].rope)].theta, full ? 1e6 : 1e4);
  }
}

}  // namespace
}  // namespace steer
