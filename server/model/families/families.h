// The families that are built: each turns its config.json into knobs. A new family is one function
// here, one file and one row of the table in families.cc. No torch.
#ifndef STEER_SERVER_MODEL_FAMILIES_FAMILIES_H_
#define STEER_SERVER_MODEL_FAMILIES_FAMILIES_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/model/config_reader.h"
#include "server/model/model_config.h"

namespace steer {

struct Family {
  absl::string_view model_type;
  // Fills `config` (whose family is set) and claims the family's keys; problems go to the reader.
  void (*read)(ConfigReader& reader, ModelConfig& config);
};

absl::Span<const Family> Families();

// Why a neighbour of these families is refused ("mixes experts, ..."); empty for others.
absl::string_view WhyNotBuilt(absl::string_view model_type);

void ReadLlama(ConfigReader& reader, ModelConfig& config);   // Llama 3.x, SmolLM2
void ReadQwen2(ConfigReader& reader, ModelConfig& config);   // Qwen2, Qwen2.5
void ReadQwen3(ConfigReader& reader, ModelConfig& config);   // Qwen3, dense
void ReadMistral(ConfigReader& reader, ModelConfig& config);  // Mistral 7B, Nemo, Small (text)
void ReadGemma3(ConfigReader& reader, ModelConfig& config);  // Gemma 3, text only

}  // namespace steer

#endif  // STEER_SERVER_MODEL_FAMILIES_FAMILIES_H_
