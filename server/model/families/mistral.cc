#include "server/model/families/common_keys.h"
#include "server/model/families/families.h"

namespace steer {

// Mistral 7B, Nemo, Small: Llama with one window for all layers. "layer_types" belongs to
// Ministral, and transformers' Mistral does not read it; so it is refused like any unknown key.
void ReadMistral(ConfigReader& reader, ModelConfig& config) {
  ReadSizes(reader, absl::nullopt, config);
  ReadActivation(reader, "hidden_act", Activation::kSilu, config);
  config.tied_head = reader.Bool("tie_word_embeddings", false);
  config.ropes = {ReadRope(reader, 10000)};
  const absl::optional<int64_t> window = ReadWindow(reader);
  for (LayerConfig& layer : config.layer) layer.window = window.value_or(0);
}

}  // namespace steer
