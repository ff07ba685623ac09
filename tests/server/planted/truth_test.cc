// The arithmetic behind the truth file, against brute force.
#include "server/planted/truth.h"

#include <cmath>

#include "common/philox.h"
#include "gtest/gtest.h"
#include "server/planted/network.h"
#include "server/planted/tail.h"

namespace steer::planted {
namespace {

TEST(SplitTailsTest, EqualsEnumeration) {
  // All subsets of 4 out of 9: three count +1, two count -1.
  const int values[9] = {1, 1, 1, -1, -1, 0, 0, 0, 0};
  const SplitTails tails(9);
  for (int least = -3; least <= 4; ++least) {
    int hits = 0;
    int subsets = 0;
    for (int mask = 0; mask < 512; ++mask) {
      int size = 0;
      int sum = 0;
      for (int i = 0; i < 9; ++i) {
        if ((mask >> i & 1) != 0) {
          ++size;
          sum += values[i];
        }
      }
      if (size != 4) continue;
      ++subsets;
      hits += sum >= least ? 1 : 0;
    }
    EXPECT_NEAR(tails.AtLeast(9, 3, 2, 4, least), static_cast<double>(hits) / subsets, 1e-12);
  }
}

TEST(SplitTailsTest, DegeneratePopulations) {
  const SplitTails tails(10);
  EXPECT_DOUBLE_EQ(tails.AtLeast(10, 10, 0, 4, 4), 1);
  EXPECT_DOUBLE_EQ(tails.AtLeast(10, 0, 0, 4, 1), 0);
  EXPECT_DOUBLE_EQ(tails.AtLeast(10, 0, 10, 4, -4), 1);
  EXPECT_DOUBLE_EQ(tails.AtLeast(10, 0, 10, 4, -3), 0);
}

TEST(TruthTest, CosineFormulaAgreesWithSimulatedSplits) {
  for (const PlantedSpec& spec : PlantedSpecs()) {
    const Vocabulary vocabulary = MakeVocabulary();
    const Lexicon lexicon = MakeLexicon(vocabulary, spec, 4);
    const PromptPools pools = *MakePrompts(lexicon, spec, 4);
    const Expectation expectation = Simulate(lexicon, spec, pools, 4);
    for (int layer = 1; layer < kLayers; ++layer) {
      const double formula = ExpectedCosine(LayerTruthOf(pools, layer), kTrain);
      // First order: good to a few percent of what it says is lost, and the simulation's own error
      // on top.
      const double tolerance = 0.2 * (1 - formula) + 5 * expectation.cosine_deviation[layer] /
                                                         std::sqrt(static_cast<double>(kTrials));
      EXPECT_NEAR(expectation.mean_cosine[layer], formula, tolerance)
          << spec.name << " layer " << layer;
    }
  }
}

TEST(TruthTest, PoolsThatDoNotDifferHaveNoDirection) {
  const PlantedSpec spec = *FindPlantedSpec("default");
  const Vocabulary vocabulary = MakeVocabulary();
  const Lexicon lexicon = MakeLexicon(vocabulary, spec, 1);
  PromptPools pools = *MakePrompts(lexicon, spec, 1);
  for (auto* pool : {&pools.harmful, &pools.harmless}) {
    for (PlantedPrompt& prompt : *pool) prompt.features = {};
  }
  const LayerTruth truth = LayerTruthOf(pools, 1);
  EXPECT_EQ(truth.norm, 0);
  EXPECT_EQ(ExpectedCosine(truth, kTrain), 0);
}

TEST(TruthTest, CosineGrowsWithTheFit) {
  const PlantedSpec spec = *FindPlantedSpec("default");
  const Vocabulary vocabulary = MakeVocabulary();
  const PromptPools pools = *MakePrompts(MakeLexicon(vocabulary, spec, 0), spec, 0);
  const LayerTruth layer = LayerTruthOf(pools, kFullAxisLayer);
  EXPECT_LT(ExpectedCosine(layer, 8), ExpectedCosine(layer, 64));
  EXPECT_LT(ExpectedCosine(layer, 64), ExpectedCosine(layer, 256));
  EXPECT_DOUBLE_EQ(ExpectedCosine(layer, kPool), 1);
}

TEST(TruthTest, DistributedThresholdIsThreeDeviationsBelowHalfASize) {
  const PlantedSpec spec = *FindPlantedSpec("distributed");
  EXPECT_GE(kSize / 2 - spec.threshold, 3 * spec.axis_noise);
  // What ablating the mean direction leaves of a prompt on its own axis, in expectation.
  Features prompt{};
  prompt[0] = kSize;
  Features unit{};
  unit[0] = unit[1] = std::sqrt(0.5);
  const Features left = Ablate(prompt, unit);
  EXPECT_NEAR(left[0], kSize / 2, 1e-12);
  EXPECT_GT(ReadoutMargins(spec, left)[0], 3 * spec.axis_noise - 1e-12);
}

TEST(TruthTest, GuardFiresForARandomVectorOfTheFittedNorm) {
  // Smallest over many draws, against the mode of a prompt that answers as surely as one can (-1).
  const std::vector<int> coordinates = GuardCoordinates();
  for (uint64_t draw = 0; draw < 200; ++draw) {
    const PhiloxStream stream(draw, 1);
    double square = 0;
    for (int i = 0; i < kHidden; ++i) square += std::pow(stream.Normal(i), 2);
    double guard = 0;
    for (int i : coordinates) guard += GuardShare(kSize * stream.Normal(i) / std::sqrt(square));
    EXPECT_GT(guard, 1.5) << draw;
    EXPECT_LT(guard, 4.5) << draw;
  }
  EXPECT_EQ(GuardShare(0), 0);
}

TEST(LexiconTest, WordsHaveOneNormAndNoMeanNoise) {
  const PlantedSpec spec = *FindPlantedSpec("default");
  const Lexicon lexicon = MakeLexicon(MakeVocabulary(), spec, 9);
  for (const Word& word : lexicon.AllWords()) {
    double square = 0;
    for (double x : EmbedWord(lexicon, word)) square += x * x;
    EXPECT_NEAR(std::sqrt(square), lexicon.word_norm, 1e-9);
  }
  for (const auto& group : lexicon.nouns) {
    for (int i = 0; i < kNoise; ++i) {
      double sum = 0;
      for (const Word& word : group) sum += word.noise[i];
      EXPECT_NEAR(sum, 0, 1e-9);
    }
  }
}

}  // namespace
}  // namespace steer::planted
