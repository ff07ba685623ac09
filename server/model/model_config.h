// What distinguishes one decoder-only family from another, as data. families/*.cc fill it from config.json; decoder.cc reads it. No torch.
#ifndef STEER_SERVER_MODEL_MODEL_CONFIG_H_
#define STEER_SERVER_MODEL_MODEL_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace steer {

enum class Activation { kSilu, kGeluTanh };

// Llama 3's frequency scaling; factor 1 means none.
struct RopeScaling {
  double factor = 1;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  int64_t original_context = 8192;
};

// One rotary table. Gemma 3 has two (local and global layers).
struct RopeConfig {
  double theta = 10000;
  RopeScaling llama3;  // "rope_type": "llama3"
  double linear_factor = 1;  // "rope_type": "linear"
};

struct LayerConfig {
  int64_t window = 0;  // sliding-window attention: keys at distance < window are seen; 0 means all
  int rope = 0;        // index into ModelConfig::ropes
};

struct ModelConfig {
  std::string family;  // config.json's model_type
  int64_t hidden = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate = 0;
  int64_t vocabulary = 0;
  int64_t max_context = 0;  // max_position_embeddings
  double norm_epsilon = 1e-6;
  bool norm_unit_offset = false;   // gain is 1 + w (Gemma), multiplied in float32
  bool post_norms = false;         // RMSNorm after attention and after MLP, before the residual add (Gemma 2, 3)
  bool qk_norm = false;            // RMSNorm on each head's query and key (Qwen3, Gemma 3)
  bool qkv_bias = false;           // Qwen2
  bool output_bias = false;        // attention_bias of Llama: o_proj too
  bool mlp_bias = false;
  bool tied_head = false;
  Activation activation = Activation::kSilu;
  double embedding_scale = 1;      // Gemma: sqrt(hidden), rounded to the model's type
  double attention_scale = 0;      // multiplies q.k; 0 means 1 / sqrt(head_dim)
  double final_logit_softcap = 0;  // 0 means none
  double attention_softcap = 0;
  std::vector<RopeConfig> ropes;        // at least one
  std::vector<LayerConfig> layer;       // [layers]

  // Sites of the residual stream: 2 * layers + 1.
  int64_t sites() const { return 2 * layers + 1; }
};

// INVALID_ARGUMENT naming the key, its value and what is built here, for an unknown model_type or any key that would change the forward
// pass and is not understood (quantization_config, other rope types, other activations, ...).
absl::StatusOr<ModelConfig> ParseModelConfig(const Json& config);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_MODEL_CONFIG_H_
