// Every variant ends in its true verdict on every seed, with the rates, the layer and the cosines
// that its truth file states. Seeds kFirstSeed .. kFirstSeed + kSeeds - 1 are set by the build: 3
// in the default tier, 50 in the long one.
#include <cmath>
#include <regex>
#include <set>
#include <string>

#include "experiment.h"
#include "gtest/gtest.h"
#include "server/planted/spec.h"

namespace steer::planted {
namespace {

class VerdictTest : public testing::TestWithParam<std::string> {};

// Numbers of the runs so far, for the means over seeds.
struct Sums {
  int runs = 0;
  double measured = 0;
  double expected = 0;
  double variance = 0;
};

void CheckRun(const Experiment& experiment, const ExperimentResult& result) {
  const Json& truth = experiment.truth();
  EXPECT_EQ(result.verdict, truth["verdict"]);
  EXPECT_EQ(result.fitted[0].abs().max().item<double>(), 0.0);
  const std::string variant = truth["variant"];
  if (variant != "weak") {
    EXPECT_EQ(result.suppression, variant != "distributed");
    EXPECT_EQ(result.induction, variant != "fragile");
  }
  for (const Json& layer : truth["directions"]) {
    if (!layer["usable"]) continue;
    const at::Tensor fitted = result.fitted[layer["layer"].get<int>()].to(at::kDouble);
    double product = 0;
    for (int i = 0; i < fitted.numel(); ++i) {
      product += fitted[i].item<double>() * layer["direction"][i].get<double>();
    }
    const double cosine = product / (fitted.norm().item<double>() * layer["norm"].get<double>());
    EXPECT_NEAR(cosine, layer["expected_cosine"].get<double>(),
                6 * layer["cosine_deviation"].get<double>())
        << "layer " << layer["layer"];
  }
}

TEST_P(VerdictTest, EverySeedEndsInTheTrueVerdict) {
  std::map<std::string, Sums> sums;
  for (uint64_t seed = STEER_FIRST_SEED; seed < STEER_FIRST_SEED + STEER_SEEDS; ++seed) {
    SCOPED_TRACE(testing::Message() << GetParam() << " seed " << seed);
    const Experiment experiment(GetParam(), seed);
    const Json& truth = experiment.truth();
    EXPECT_GE(truth["verdict_probability"].get<double>(), 0.999);
    const ExperimentResult result = experiment.Run(1000 + seed);
    CheckRun(experiment, result);
    if (truth["layers"]["chosen_probability"] > 0.999) {
      EXPECT_EQ(result.layer, truth["layers"]["chosen"].get<int>());
    }
    for (const auto& [name, count] : result.counts) {
      const Json& rate = truth["rates"][name];
      Sums& sum = sums[name];
      ++sum.runs;
      sum.measured += count / truth["sizes"]["test"].get<double>();
      sum.expected += rate["expected"].get<double>();
      sum.variance += std::pow(rate["deviation"].get<double>(), 2);
    }
  }
  EXPECT_EQ(sums.size(), 6u);
  for (const auto& [name, sum] : sums) {
    const double spread = std::sqrt(sum.variance) / sum.runs;
    // Half a prompt a run on top: a rate expected at 1.0000 may still miss one prompt.
    EXPECT_NEAR(sum.measured / sum.runs, sum.expected / sum.runs, 5 * spread + 0.5 / kTest) << name;
    RecordProperty(name, std::to_string(sum.measured / sum.runs) + " expected " +
                             std::to_string(sum.expected / sum.runs));
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, VerdictTest,
                         testing::Values("default", "weak", "distributed", "fragile"),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace steer::planted
