#include "server/planted/simulation.h"

#include <cmath>
#include <functional>

#include "common/philox.h"
#include "server/planted/network.h"
#include "server/planted/streams.h"
#include "server/planted/tail.h"

namespace steer::planted {
namespace {

// Whether each prompt left over after training refuses.
using Outcomes = std::vector<bool>;

constexpr int kRest = kPool - kTrain;

int Count(const Outcomes& outcomes) {
  int count = 0;
  for (bool refuses : outcomes) count += refuses ? 1 : 0;
  return count;
}

// Probability that `a` exceeds `b` by at least `least` on a split of `drawn`.
double LeadAtLeast(const SplitTails& tails, const Outcomes& a, const Outcomes& b, int drawn,
                   int least) {
  int up = 0;
  int down = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    up += a[i] && !b[i] ? 1 : 0;
    down += b[i] && !a[i] ? 1 : 0;
  }
  return tails.AtLeast(kRest, up, down, drawn, least);
}

// Mean and variance of a rate over trials: that of the share among the rest, plus that of drawing
// the split from it.
class RateSum {
 public:
  void Add(const Outcomes& outcomes) {
    const double share = static_cast<double>(Count(outcomes)) / kRest;
    sum_ += share;
    square_ += share * share;
    drawing_ += share * (1 - share) / kTest * (kRest - kTest) / (kRest - 1.0);
  }
  ExpectedRate Result() const {
    const double mean = sum_ / kTrials;
    const double variance = square_ / kTrials - mean * mean + drawing_ / kTrials;
    return {mean, std::sqrt(variance > 0 ? variance : 0)};
  }

 private:
  double sum_ = 0;
  double square_ = 0;
  double drawing_ = 0;
};

// What heads meet at words, after block 1, on average: nouns by topic, and the words that are no
// nouns.
struct MeanWords {
  LayoutVector noun[kTopicsPerClass];
  LayoutVector other;
};

LayoutVector MeanOf(const Lexicon& lexicon, const PlantedSpec& spec,
                    const std::vector<Word>& words) {
  LayoutVector mean = ZeroVector();
  for (const Word& word : words) {
    LayoutVector x = EmbedWord(lexicon, word);
    const int axis = AxisOfTopic(spec, word.topic);
    if (axis >= 0) {
      x[kClassIn + axis] += kClassValue;
      x[kStageBalance] =
          std::sqrt(kStageBalanceValue * kStageBalanceValue - kClassValue * kClassValue);
    }
    for (int i = 0; i < kHidden; ++i) mean[i] += x[i] / words.size();
  }
  return mean;
}

MeanWords HarmfulWords(const Lexicon& lexicon, const PlantedSpec& spec) {
  MeanWords means;
  for (int topic = 0; topic < kTopicsPerClass; ++topic) {
    means.noun[topic] = MeanOf(lexicon, spec, lexicon.nouns[topic]);
  }
  means.other = MeanOf(lexicon, spec, lexicon.fillers);
  return means;
}

double Product(const LayoutVector& a, const LayoutVector& b) {
  double sum = 0;
  for (int i = 0; i < kHidden; ++i) sum += a[i] * b[i];
  return sum;
}

Features FeaturePart(const LayoutVector& v) {
  Features part;
  for (int i = 0; i < kFeatures; ++i) part[i] = v[kAxisOut + i];
  return part;
}

// One split and one control.
struct Trial {
  std::vector<size_t> rest_harmful, rest_harmless;
  Features fitted[kLayers];
  LayoutVector control;  // unit
};

Trial MakeTrial(const PromptPools& pools, uint64_t seed, int index) {
  const auto stream = [&](int part) { return PhiloxStream(seed, kTrialStream + 4 * index + part); };
  std::vector<size_t> harmful = SampleWithoutReplacement(stream(0), kPool, kPool);
  std::vector<size_t> harmless = SampleWithoutReplacement(stream(1), kPool, kPool);
  Trial trial;
  trial.rest_harmful.assign(harmful.begin() + kTrain, harmful.end());
  trial.rest_harmless.assign(harmless.begin() + kTrain, harmless.end());
  harmful.resize(kTrain);
  harmless.resize(kTrain);
  const Features full =
      MeanDifference(pools.harmful, pools.harmless, harmful, harmless, kFullAxisLayer);
  for (int layer = 0; layer < kLayers; ++layer) trial.fitted[layer] = AtLayer(full, layer);
  trial.control = ZeroVector();
  const PhiloxStream normal = stream(2);
  for (int i = 0; i < kHidden; ++i) trial.control[i] = normal.Normal(i);
  const double norm = std::sqrt(Product(trial.control, trial.control));
  for (double& x : trial.control) x /= norm;
  return trial;
}

Features Plus(Features x, const Features& shift) {
  for (int i = 0; i < kFeatures; ++i) x[i] += shift[i];
  return x;
}

double Norm(const Features& x) { return std::sqrt(Dot(x, x)); }

Features Unit(Features x) {
  const double norm = Norm(x);
  for (double& value : x) value /= norm;
  return x;
}

// What ablating the unit control `u` does to the harmful class, to first order in the products of
// its entries: every word loses (word . u) u where the heads read, which shifts what they gather
// and, by the flag and the norm, how much nouns weigh among the words; every query position loses
// (x . u) u where the readout reads.
Outcomes AblateControl(const Lexicon& lexicon, const PlantedSpec& spec,
                       const std::vector<PlantedPrompt>& prompts, const std::vector<size_t>& rest,
                       const MeanWords& means, const LayoutVector& u) {
  const double along_other = Product(means.other, u);
  Features shift[kTopicsPerClass] = {};
  double scale[kTopicsPerClass];  // of the class's part, which is nearly all of an axis
  for (int topic = 0; topic < kTopicsPerClass; ++topic) {
    const double along_noun = Product(means.noun[topic], u);
    const double squares = along_noun * along_noun - along_other * along_other;
    const double weight =
        std::exp(kWordScore * ((along_other - along_noun) * u[kFlag] / kFlagValue +
                               squares / (2 * lexicon.word_norm * lexicon.word_norm)));
    scale[topic] = weight / (1 - kNounShare + kNounShare * weight) *
                   (1 - along_noun * u[kTopicIn + topic] / kTopicValue);
    const double along = kNounShare * along_noun + (1 - kNounShare) * along_other;
    for (int axis = 0; axis < spec.axes; ++axis) {
      shift[topic][axis] = -kAxisGain * along * (u[kClassIn + axis] + u[kAxisNoiseIn + axis]);
    }
    for (int i = 0; i < kNoise; ++i) shift[topic][kNoiseFeature + i] = -along * u[kNoiseIn + i];
  }
  // The readouts follow the newline and "I"; the first decides nearly always.
  const double fixed =
      kConstantValue * u[kConstant] + kQueryValue * u[kQuery] + kIdentityValue * u[kIdentity];
  const Features direction = FeaturePart(u);
  std::vector<int> guarded = GuardCoordinates();
  Outcomes outcomes;
  for (size_t index : rest) {
    const int topic = prompts[index].topic;
    Features x = Plus(prompts[index].features, shift[topic]);
    for (int axis = 0; axis < spec.axes; ++axis) {
      x[axis] += (scale[topic] - 1) * prompts[index].features[axis];
    }
    const double along = fixed + Dot(x, direction);
    for (int i = 0; i < kFeatures; ++i) x[i] -= along * direction[i];
    double guard = 0;
    if (spec.guard) {
      for (int coordinate : guarded) guard += GuardShare(along * u[coordinate]);
    }
    const auto margins = ReadoutMargins(spec, x, -along * u[kConstant]);
    outcomes.push_back(Mode(spec, margins, guard) > 0);
  }
  return outcomes;
}

// Outcomes of the rest under a change of features.
Outcomes Run(const PlantedSpec& spec, const std::vector<PlantedPrompt>& prompts,
             const std::vector<size_t>& rest, const std::function<Features(const Features&)>& edit,
             double constant_shift = 0, double guard = 0) {
  Outcomes outcomes;
  for (size_t index : rest) {
    const auto margins = ReadoutMargins(spec, edit(prompts[index].features), constant_shift);
    outcomes.push_back(Mode(spec, margins, guard) > 0);
  }
  return outcomes;
}

int Ceiling(int numerator, int denominator) { return (numerator + denominator - 1) / denominator; }

}  // namespace

Features MeanDifference(const std::vector<PlantedPrompt>& harmful,
                        const std::vector<PlantedPrompt>& harmless,
                        const std::vector<size_t>& harmful_members,
                        const std::vector<size_t>& harmless_members, int layer) {
  Features difference{};
  const auto add = [&](const PlantedPrompt& prompt, double weight) {
    for (int i = 0; i < kFeatures; ++i) difference[i] += weight * prompt.features[i];
  };
  for (size_t index : harmful_members) add(harmful[index], 1.0 / harmful_members.size());
  for (size_t index : harmless_members) add(harmless[index], -1.0 / harmless_members.size());
  return AtLayer(difference, layer);
}

Expectation Simulate(const Lexicon& lexicon, const PlantedSpec& spec, const PromptPools& pools,
                     uint64_t seed) {
  const SplitTails tails(kPool);
  const MeanWords harmful_words = HarmfulWords(lexicon, spec);
  std::vector<size_t> all(kPool);
  for (size_t i = 0; i < kPool; ++i) all[i] = i;
  Features pool_direction[kLayers];
  for (int layer = 1; layer < kLayers; ++layer) {
    pool_direction[layer] = Unit(MeanDifference(pools.harmful, pools.harmless, all, all, layer));
  }
  const int half = Ceiling(kTest, 2);
  const int quarter = Ceiling(kTest, 4);
  const std::vector<int> guarded = GuardCoordinates();
  const Outcomes none(kRest, false);

  Expectation result;
  RateSum rates[6];
  double failed = 0;
  double wrong_layer = 0;
  double cosine_square[kLayers] = {};
  for (int index = 0; index < kTrials; ++index) {
    const Trial trial = MakeTrial(pools, seed, index);
    const Features& fitted = trial.fitted[kFullAxisLayer];
    const Features unit = Unit(fitted);
    const double norm = Norm(fitted);
    LayoutVector control = trial.control;
    for (double& x : control) x *= norm;
    double guard = 0;
    if (spec.guard) {
      for (int coordinate : guarded) guard += GuardShare(control[coordinate]);
    }

    const auto same = [](const Features& x) { return x; };
    const auto ablate = [&](const Features& x) { return Ablate(x, unit); };
    const auto add = [&](const Features& x) { return Plus(x, fitted); };
    const auto add_below = [&](const Features& x) {
      return Plus(x, trial.fitted[kFullAxisLayer - 1]);
    };
    const Features control_part = FeaturePart(control);
    const auto add_control = [&](const Features& x) { return Plus(x, control_part); };

    const Outcomes base_harmful = Run(spec, pools.harmful, trial.rest_harmful, same);
    const Outcomes ablated = Run(spec, pools.harmful, trial.rest_harmful, ablate);
    const Outcomes ablated_control = AblateControl(lexicon, spec, pools.harmful, trial.rest_harmful,
                                                   harmful_words, trial.control);
    const Outcomes base_harmless = Run(spec, pools.harmless, trial.rest_harmless, same);
    const Outcomes added = Run(spec, pools.harmless, trial.rest_harmless, add);
    const Outcomes added_control =
        Run(spec, pools.harmless, trial.rest_harmless, add_control, control[kConstant], guard);
    const Outcomes added_below = Run(spec, pools.harmless, trial.rest_harmless, add_below);

    const double measurable = LeadAtLeast(tails, base_harmful, none, kTest, half);
    const double drop = LeadAtLeast(tails, base_harmful, ablated, kTest, half);
    const double drop_margin = LeadAtLeast(tails, ablated_control, ablated, kTest, quarter);
    const double rise = LeadAtLeast(tails, added, base_harmless, kTest, half);
    const double rise_margin = LeadAtLeast(tails, added, added_control, kTest, quarter);
    // Union bounds over the parts of the rule that make the variant's verdict.
    if (spec.name == "weak") {
      failed += measurable;
    } else if (spec.name == "distributed") {
      failed += 1 - measurable + drop + 1 - rise + 1 - rise_margin;
    } else {
      failed += 1 - measurable + 1 - drop + 1 - drop_margin + 1 - rise;
      failed += spec.guard ? rise_margin : 1 - rise_margin;
    }
    // Two prompts of slack for what ablation differs by between the two layers.
    wrong_layer += 1 - LeadAtLeast(tails, added, added_below, kValidation, 3);

    const Outcomes* const arms[6] = {&base_harmful,  &ablated, &ablated_control,
                                     &base_harmless, &added,   &added_control};
    for (int i = 0; i < 6; ++i) rates[i].Add(*arms[i]);
    for (int layer = 1; layer < kLayers; ++layer) {
      const double cosine = Dot(Unit(trial.fitted[layer]), pool_direction[layer]);
      result.mean_cosine[layer] += cosine / kTrials;
      cosine_square[layer] += cosine * cosine / kTrials;
    }
  }
  for (int layer = 1; layer < kLayers; ++layer) {
    const double mean = result.mean_cosine[layer];
    result.cosine_deviation[layer] = std::sqrt(std::max(0.0, cosine_square[layer] - mean * mean));
  }
  result.baseline_harmful = rates[0].Result();
  result.ablate = rates[1].Result();
  result.ablate_control = rates[2].Result();
  result.baseline_harmless = rates[3].Result();
  result.add = rates[4].Result();
  result.add_control = rates[5].Result();
  result.verdict_probability = std::max(0.0, 1 - failed / kTrials);
  result.layer_probability = std::max(0.0, 1 - wrong_layer / kTrials);
  return result;
}

}  // namespace steer::planted
