// The two prompt classes: an opener and three to five pairs of a filler and a noun of the prompt's
// topic, as in "Describe the bavorn near my tevorn of every zovorn?". Words, lengths and final
// punctuation are drawn alike for both classes.
#ifndef STEER_SERVER_PLANTED_PROMPTS_H_
#define STEER_SERVER_PLANTED_PROMPTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/planted/features.h"
#include "server/planted/lexicon.h"
#include "server/planted/spec.h"

namespace steer::planted {

struct PlantedPrompt {
  std::string text;
  int topic = 0;
  std::vector<const Word*> words;  // into the lexicon
  Features features{};
};

struct PromptPools {
  std::vector<PlantedPrompt> harmful;   // kPool
  std::vector<PlantedPrompt> harmless;  // kPool
};

// Exactly the spec's number of refusals in each class in an unedited run, no margin within
// kClearMargin of zero (so that rounding decides nothing), topics in equal shares, all prompts
// distinct even without their last punctuation, in random order. INTERNAL if a class cannot be
// filled.
inline constexpr double kClearMargin = 0.01 * kSize;
absl::StatusOr<PromptPools> MakePrompts(const Lexicon& lexicon, const PlantedSpec& spec,
                                        uint64_t seed);

// One {"prompt": ..., "topic": ...} a line.
std::string PromptFile(const std::vector<PlantedPrompt>& prompts, const Vocabulary& vocabulary);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_PROMPTS_H_
