#include "server/model/families/families.h"

namespace steer {

absl::Span<const Family> Families() {
  static constexpr Family kFamilies[] = {
      {"llama", ReadLlama},
      {"qwen2", ReadQwen2},
      {"qwen3", ReadQwen3},
      {"gemma3_text", ReadGemma3},
  };
  return kFamilies;
}

}  // namespace steer
