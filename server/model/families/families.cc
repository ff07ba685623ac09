#include "server/model/families/families.h"

namespace steer {
namespace {

struct Neighbour {
  absl::string_view model_type;
  absl::string_view reason;
};

constexpr absl::string_view kExperts = "mixes experts";
constexpr Neighbour kNeighbours[] = {
    {"gemma3", "wraps a vision tower: take a text-only export, whose model_type is gemma3_text"},
    {"gemma2", "softcaps its attention"},
    {"mistral3", "wraps a vision tower: take a text-only export, whose model_type is mistral"},
    {"ministral", "gives each layer its own kind of attention"},
    {"mixtral", kExperts},
    {"qwen2_moe", kExperts},
    {"qwen3_moe", kExperts},
    {"mllama", "wraps a vision tower"},
};

}  // namespace

absl::Span<const Family> Families() {
  static constexpr Family kFamilies[] = {
      {"llama", ReadLlama}, {"mistral", ReadMistral},    {"qwen2", ReadQwen2},
      {"qwen3", ReadQwen3}, {"gemma3_text", ReadGemma3},
  };
  return kFamilies;
}

absl::string_view WhyNotBuilt(absl::string_view model_type) {
  for (const Neighbour& neighbour : kNeighbours) {
    if (neighbour.model_type == model_type) return neighbour.reason;
  }
  return "";
}

}  // namespace steer
