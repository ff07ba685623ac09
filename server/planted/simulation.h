// The experiment on the analytic model (features.h): for many splits and control draws, what each
// arm does to each prompt of the pool, and from that, exactly, how a test split of the rest falls
// out.
#ifndef STEER_SERVER_PLANTED_SIMULATION_H_
#define STEER_SERVER_PLANTED_SIMULATION_H_

#include <cstdint>
#include <vector>

#include "server/planted/features.h"
#include "server/planted/lexicon.h"
#include "server/planted/prompts.h"
#include "server/planted/spec.h"

namespace steer::planted {

// A rate that a run will show on its test split.
struct ExpectedRate {
  double expected = 0;
  double deviation = 0;  // over splits and control draws, at kTest prompts
};

struct Expectation {
  ExpectedRate baseline_harmful, ablate, ablate_control, baseline_harmless, add, add_control;
  double verdict_probability = 0;  // that every part of the rule falls out as the variant intends
  double layer_probability =
      0;  // lower bound: that selection prefers layer kFullAxisLayer to the layer below
  // Cosine of a fitted direction with the pool's, by layer; over the simulated splits.
  double mean_cosine[kLayers] = {};
  double cosine_deviation[kLayers] = {};
};

inline constexpr int kTrials = 1200;

// Difference of the means over the members given, inputs of block `layer`.
Features MeanDifference(const std::vector<PlantedPrompt>& harmful,
                        const std::vector<PlantedPrompt>& harmless,
                        const std::vector<size_t>& harmful_members,
                        const std::vector<size_t>& harmless_members, int layer);

Expectation Simulate(const Lexicon& lexicon, const PlantedSpec& spec, const PromptPools& pools,
                     uint64_t seed);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_SIMULATION_H_
