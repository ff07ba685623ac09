#include "server/model/families/common_keys.h"
#include "server/model/families/families.h"

namespace steer {

void ReadQwen2(ConfigReader& reader, ModelConfig& config) {
  ReadSizes(reader, absl::nullopt, config);
  ReadActivation(reader, "hidden_act", Activation::kSilu, config);
  config.qkv_bias = true;
  config.tied_head = reader.Bool("tie_word_embeddings", false);
  config.ropes = {ReadRope(reader, 10000)};
  ReadQwenWindows(reader, config);
  reader.RequireFalse("use_mrope");
}

}  // namespace steer
