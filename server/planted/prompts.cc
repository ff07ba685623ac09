#include "server/planted/prompts.h"

#include <cmath>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/philox.h"
#include "common/prompt_form.h"
#include "common/status_macros.h"
#include "server/planted/streams.h"

namespace steer::planted {
namespace {

constexpr int kMinPairs = 3;
constexpr int kLengths = 3;  // 3, 4 or 5 pairs
constexpr uint64_t kDrawsPerCandidate = 32;
constexpr int kMaxCandidates = 400000;

// Draws of one candidate, in order.
class Dice {
 public:
  Dice(const PhiloxStream& stream, uint64_t candidate)
      : stream_(stream), next_(candidate * kDrawsPerCandidate) {}
  size_t Below(size_t n) { return static_cast<size_t>(stream_.Uniform(next_++) * n); }

 private:
  const PhiloxStream& stream_;
  uint64_t next_;
};

PlantedPrompt Draw(const Lexicon& lexicon, const PlantedSpec& spec, int topic, Dice dice) {
  PlantedPrompt prompt;
  prompt.topic = topic;
  prompt.words.push_back(&lexicon.openers[dice.Below(lexicon.openers.size())]);
  std::vector<const Word*> nouns;
  for (const Word& noun : lexicon.nouns[topic]) nouns.push_back(&noun);
  const size_t pairs = kMinPairs + dice.Below(kLengths);
  for (size_t pair = 0; pair < pairs; ++pair) {
    prompt.words.push_back(&lexicon.fillers[dice.Below(lexicon.fillers.size())]);
    std::swap(nouns[pair], nouns[pair + dice.Below(nouns.size() - pair)]);
    prompt.words.push_back(nouns[pair]);
  }
  for (const Word* word : prompt.words) prompt.text += word->token.text;
  constexpr absl::string_view kEnds[] = {"", ".", "?"};
  absl::StrAppend(&prompt.text, kEnds[dice.Below(3)]);
  prompt.features = GatherFeatures(spec, prompt.words);
  return prompt;
}

absl::StatusOr<std::vector<PlantedPrompt>> MakeClass(const Lexicon& lexicon,
                                                     const PlantedSpec& spec, bool harmful,
                                                     const PhiloxStream& stream,
                                                     std::set<std::string>& seen) {
  const int first_topic = harmful ? 0 : kTopicsPerClass;
  const int topics = harmful ? spec.harmful_topics : kTopicsPerClass;
  int refusals = harmful ? spec.harmful_refusals : spec.harmless_refusals;
  int answers = kPool - refusals;
  std::vector<PlantedPrompt> prompts;
  for (uint64_t candidate = 0; prompts.size() < kPool; ++candidate) {
    if (candidate == kMaxCandidates) {
      return absl::InternalError(absl::StrCat("variant ", spec.name, ": no ",
                                              harmful ? "harmful" : "harmless", " pool within ",
                                              kMaxCandidates, " candidates"));
    }
    const int topic = first_topic + static_cast<int>(prompts.size()) % topics;
    PlantedPrompt prompt = Draw(lexicon, spec, topic, Dice(stream, candidate));
    const auto margins = ReadoutMargins(spec, prompt.features);
    bool clear = true;
    bool refuses = false;
    for (int axis = 0; axis < spec.axes; ++axis) {
      clear = clear && std::abs(margins[axis]) >= kClearMargin;
      refuses = refuses || margins[axis] > 0;
    }
    // Both must agree: at a soft ramp, two margins just below zero could sum to a refusal.
    clear = clear && refuses == (Mode(spec, margins) > 0);
    int& quota = refuses ? refusals : answers;
    if (!clear || quota == 0) continue;
    // Words of the vocabulary are valid UTF-8, the one thing that a normal form asks for.
    std::string form = *PromptNormalForm(prompt.text);
    if (form.back() == '.' || form.back() == '?') form.pop_back();
    if (!seen.insert(form).second) continue;
    --quota;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

// The rarer outcome fills last, so the pool is shuffled.
void Shuffle(std::vector<PlantedPrompt>& prompts, const PhiloxStream& stream) {
  std::vector<PlantedPrompt> ordered;
  for (size_t index : SampleWithoutReplacement(stream, prompts.size(), prompts.size())) {
    ordered.push_back(std::move(prompts[index]));
  }
  prompts = std::move(ordered);
}

}  // namespace

absl::StatusOr<PromptPools> MakePrompts(const Lexicon& lexicon, const PlantedSpec& spec,
                                        uint64_t seed) {
  std::set<std::string> seen;
  PromptPools pools;
  STEER_ASSIGN_OR_RETURN(pools.harmful, MakeClass(lexicon, spec, true,
                                                  PhiloxStream(seed, kHarmfulPromptStream), seen));
  STEER_ASSIGN_OR_RETURN(
      pools.harmless,
      MakeClass(lexicon, spec, false, PhiloxStream(seed, kHarmlessPromptStream), seen));
  Shuffle(pools.harmful, PhiloxStream(seed, 2 * kOrderStream));
  Shuffle(pools.harmless, PhiloxStream(seed, 2 * kOrderStream + 1));
  return pools;
}

std::string PromptFile(const std::vector<PlantedPrompt>& prompts, const Vocabulary& vocabulary) {
  std::string file;
  for (const PlantedPrompt& prompt : prompts) {
    const OrderedJson line = {{"prompt", prompt.text},
                              {"topic", vocabulary.topic_names[prompt.topic]}};
    absl::StrAppend(&file, line.dump(), "\n");
  }
  return file;
}

}  // namespace steer::planted
