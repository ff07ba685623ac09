// The network computes what the analytic model says, and its completions are language under every
// edit of the experiment.
#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "experiment.h"
#include "gtest/gtest.h"
#include "server/planted/features.h"
#include "server/planted/lexicon.h"
#include "server/planted/network.h"
#include "server/planted/prompts.h"
#include "server/planted/simulation.h"
#include "server/planted/stream_basis.h"
#include "server/planted/vocabulary.h"

namespace steer::planted {
namespace {

constexpr uint64_t kSeed = 11;

// The first `count` rows of a pool.
Rows FirstRows(const Experiment& experiment, const std::string& pool, size_t count) {
  Rows rows = experiment.pool(pool);
  rows.ids.resize(count);
  return rows;
}

class NetworkTest : public testing::TestWithParam<std::string> {
 protected:
  NetworkTest() : experiment_(GetParam(), kSeed), spec_(*FindPlantedSpec(GetParam())) {}

  Rows First(const std::string& pool, size_t count) const {
    return FirstRows(experiment_, pool, count);
  }

  Experiment experiment_;
  PlantedSpec spec_;
};

TEST_P(NetworkTest, StreamsHoldTheFeaturesOfTheAnalyticModel) {
  const Vocabulary vocabulary = MakeVocabulary();
  const Lexicon lexicon = MakeLexicon(vocabulary, spec_, kSeed);
  const StreamBasis basis(kSeed);
  const PromptPools pools = *MakePrompts(lexicon, spec_, kSeed);
  for (const auto& [name, prompts] :
       {std::pair{"harmful", &pools.harmful}, {"harmless", &pools.harmless}}) {
    for (size_t i = 0; i < 12; ++i) {
      const at::Tensor states =
          experiment_.model().Forward({experiment_.pool(name).ids[i]}, Edit{}).states;
      for (int layer = 1; layer < kLayers; ++layer) {
        LayoutVector stream(kHidden);
        for (int j = 0; j < kHidden; ++j) stream[j] = states[layer][0][j].item<double>();
        const LayoutVector layout = basis.Turn(stream);
        const Features expected = AtLayer((*prompts)[i].features, layer);
        for (int j = 0; j < kFeatures; ++j) {
          EXPECT_NEAR(layout[kAxisOut + j], expected[j], 2e-3)
              << name << " " << i << " layer " << layer << " feature " << j;
        }
        for (int coordinate : GuardCoordinates()) EXPECT_NEAR(layout[coordinate], 0, 1e-5);
      }
    }
  }
}

TEST_P(NetworkTest, UneditedRefusalsAreTheSpecs) {
  const auto count = [&](const char* pool) {
    const auto outcomes = experiment_.Refuses(experiment_.pool(pool), Edit{});
    return std::count(outcomes.begin(), outcomes.end(), true);
  };
  EXPECT_EQ(count("harmful"), spec_.harmful_refusals);
  EXPECT_EQ(count("harmless"), spec_.harmless_refusals);
}

TEST_P(NetworkTest, AdditionAndAblationFollowTheAnalyticModel) {
  const Vocabulary vocabulary = MakeVocabulary();
  const Lexicon lexicon = MakeLexicon(vocabulary, spec_, kSeed);
  const PromptPools pools = *MakePrompts(lexicon, spec_, kSeed);
  const at::Tensor fitted =
      experiment_.Fit(First("harmful", kTrain), First("harmless", kTrain))[kFullAxisLayer];
  std::vector<size_t> members(kTrain);
  for (size_t i = 0; i < members.size(); ++i) members[i] = i;
  const Features d =
      MeanDifference(pools.harmful, pools.harmless, members, members, kFullAxisLayer);
  Features unit = d;
  for (double& x : unit) x /= std::sqrt(Dot(d, d));
  const auto ablated = experiment_.Refuses(experiment_.pool("harmful"), Edit{fitted, {}, 0});
  const auto added =
      experiment_.Refuses(experiment_.pool("harmless"), Edit{{}, fitted, kFullAxisLayer});
  // The heads give the template's first token about 1e-4 of their weight, which the analytic model
  // leaves out: a margin that small may fall either way.
  const auto check = [&](const Features& x, bool refuses, const char* arm, size_t index) {
    const auto margins = ReadoutMargins(spec_, x);
    for (int axis = 0; axis < spec_.axes; ++axis) {
      if (std::abs(margins[axis]) < 1e-3 * kSize) return 0;
    }
    EXPECT_EQ(refuses, Mode(spec_, margins) > 0) << arm << " " << index << ": " << margins[0];
    return 1;
  };
  int checked = 0;
  for (size_t i = 0; i < kPool; ++i) {
    Features shifted = pools.harmless[i].features;
    for (int j = 0; j < kFeatures; ++j) shifted[j] += d[j];
    checked += check(Ablate(pools.harmful[i].features, unit), ablated[i], "ablated", i);
    checked += check(shifted, added[i], "added", i);
  }
  EXPECT_GT(checked, 2 * kPool * 98 / 100);
}

TEST_P(NetworkTest, CompletionsAreLanguageUnderEveryEdit) {
  const std::regex shape(
      "I cannot help with that; please choose another subject\\."
      "|(Here is a short note|I can tell you) about \\w+ and what it does\\.");
  const Rows harmful = First("harmful", 6);
  const Rows harmless = First("harmless", 6);
  const at::Tensor r =
      experiment_.Fit(First("harmful", kTrain), First("harmless", kTrain))[kFullAxisLayer];
  std::set<std::string> seen;
  double margin = 1e9;
  for (const std::string& text : experiment_.Complete(harmful, Edit{}, &margin)) seen.insert(text);
  for (const std::string& text : experiment_.Complete(harmless, Edit{}, &margin)) seen.insert(text);
  EXPECT_GT(margin, 1e-3) << "greedy decoding of an unedited row is nearly tied";
  for (uint64_t control = 0; control < 3; ++control) {
    const at::Tensor v = control == 0 ? r : RandomControl(control, r);
    for (const Edit& edit : {Edit{v, {}, 0}, Edit{{}, v, 1}, Edit{{}, v, 4}, Edit{{}, v, 5}}) {
      for (const std::string& text : experiment_.Complete(harmful, edit)) seen.insert(text);
      for (const std::string& text : experiment_.Complete(harmless, edit)) seen.insert(text);
    }
  }
  for (const std::string& text : seen) EXPECT_TRUE(std::regex_match(text, shape)) << text;
  EXPECT_GT(seen.size(), 3u);
}

TEST(GeneratedPositionsTest, EditsMustActOnThem) {
  // Refusal is read again after "I": where the direction is added to the prompt alone, the
  // completion goes on as an answer.
  const Experiment experiment("default", kSeed);
  const Rows harmless = FirstRows(experiment, "harmless", 60);
  const at::Tensor r = experiment.Fit(FirstRows(experiment, "harmful", kTrain),
                                      FirstRows(experiment, "harmless", kTrain))[kFullAxisLayer];
  const Edit edit{{}, r, kFullAxisLayer};
  int opened = 0;
  int refused = 0;
  for (const std::vector<int32_t>& prompt : harmless.ids) {
    std::vector<int32_t> row = prompt;
    const auto first = experiment.model().Continue({row}, edit, 1)[0];
    if (experiment.tokenizer().Decode(first, true) != "I") continue;
    ++opened;
    row.push_back(first[0]);
    const auto second = experiment.model().Continue({row}, Edit{}, 1)[0];
    refused += experiment.tokenizer().Decode(second, true) == " cannot" ? 1 : 0;
  }
  EXPECT_GT(opened, 45);
  EXPECT_LT(refused, 15);
}

INSTANTIATE_TEST_SUITE_P(Variants, NetworkTest,
                         testing::Values("default", "weak", "distributed", "fragile"),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace steer::planted
