#include "server/model/families/common_keys.h"
#include "server/model/families/families.h"

namespace steer {

void ReadLlama(ConfigReader& reader, ModelConfig& config) {
  ReadSizes(reader, absl::nullopt, config);
  ReadActivation(reader, "hidden_act", Activation::kSilu, config);
  config.qkv_bias = config.output_bias = reader.Bool("attention_bias", false);
  config.mlp_bias = reader.Bool("mlp_bias", false);
  config.tied_head = reader.Bool("tie_word_embeddings", false);
  config.ropes = {ReadRope(reader, 10000)};
  reader.RequireNumber("pretraining_tp", 1);
  reader.RequireFalse("rope_interleaved");
  reader.Ignore({"is_llama_config"});
}

}  // namespace steer
