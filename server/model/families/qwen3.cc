#include "server/model/families/common_keys.h"
#include "server/model/families/families.h"

namespace steer {

void ReadQwen3(ConfigReader& reader, ModelConfig& config) {
  ReadSizes(reader, 128, config);
  ReadActivation(reader, "hidden_act", Activation::kSilu, config);
  config.qkv_bias = config.output_bias = reader.Bool("attention_bias", false);
  config.qk_norm = true;
  config.tied_head = reader.Bool("tie_word_embeddings", false);
  config.ropes = {ReadRope(reader, 10000)};
  ReadQwenWindows(reader, config);
}

}  // namespace steer
