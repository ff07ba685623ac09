#include "server/steering/fit.h"

#include <gmock/gmock.h>

#include <ctime>
#include <limits>
#include <numeric>

#include "common/errors.h"
#include "server/steering/separation.h"
#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

constexpr int64_t kLayers = 2, kHidden = 9, kSites = 5;

DirectionFit Filled(int64_t harmful, int64_t harmless, const std::vector<int>& order) {
  DirectionFit fit({-1, -2}, kLayers, kHidden, harmful, harmless);
  for (int i : order) {
    const bool is_harmful = i < harmful;
    const int index = is_harmful ? i : static_cast<int>(i - harmful);
    EXPECT_TRUE(fit.AddPrompt(is_harmful ? PromptClass::kHarmful : PromptClass::kHarmless, index,
                              MadeStates(2, kLayers, kHidden, is_harmful, index))
                    .ok());
  }
  return fit;
}

TEST(Fit, IsTheDifferenceOfMeansAndNothingElse) {
  std::vector<int> order(12);
  std::iota(order.begin(), order.end(), 0);
  const DirectionSet set = *Filled(7, 5, order).Finish(true);
  ASSERT_EQ(set.directions.size(), size_t{2 * kLayers * kHidden});
  ASSERT_EQ(set.harmful_means.size(), size_t{2 * kSites * kHidden});
  ASSERT_EQ(set.states.size(), size_t{12 * 2 * kLayers * kHidden});
  for (size_t p = 0; p < 2; ++p) {
    for (int64_t site = 0; site < kSites; ++site) {
      double norms[2] = {0, 0};
      for (int64_t j = 0; j < kHidden; ++j) {
        long double mean[2] = {0, 0};
        const size_t at = (p * kSites + site) * kHidden + j;
        for (int i = 0; i < 7; ++i) mean[0] += MadeStates(2, kLayers, kHidden, true, i)[at];
        for (int i = 0; i < 5; ++i) mean[1] += MadeStates(2, kLayers, kHidden, false, i)[at];
        mean[0] /= 7;
        mean[1] /= 5;
        EXPECT_FLOAT_EQ(set.harmful_means[at], static_cast<float>(mean[0]));
        EXPECT_FLOAT_EQ(set.harmless_means[at], static_cast<float>(mean[1]));
        if (site % 2 == 0 && site / 2 < kLayers) {
          EXPECT_NEAR(set.Direction(p, site / 2)[j], static_cast<float>(mean[0] - mean[1]), 1e-7);
        }
      }
      for (int i = 0; i < 7; ++i) {
        const std::vector<float> states = MadeStates(2, kLayers, kHidden, true, i);
        double squares = 0;
        for (int64_t j = 0; j < kHidden; ++j)
          squares += std::pow(states[(p * kSites + site) * kHidden + j], 2);
        norms[0] += std::sqrt(squares) / 7;
      }
      EXPECT_NEAR(set.harmful_mean_norms[p * kSites + site], norms[0], 1e-5);
    }
  }
  // States are those at the blocks' inputs.
  const std::vector<float> third = MadeStates(2, kLayers, kHidden, true, 3);
  EXPECT_EQ(set.states[((3 * 2 + 1) * kLayers + 1) * kHidden + 4],
            third[(kSites + 2) * kHidden + 4]);
}

TEST(Fit, DoesNotDependOnTheOrderOfArrival) {
  std::vector<int> order(12);
  std::iota(order.begin(), order.end(), 0);
  const DirectionSet forward = *Filled(7, 5, order).Finish(true);
  std::reverse(order.begin(), order.end());
  std::swap(order[2], order[9]);
  const DirectionSet shuffled = *Filled(7, 5, order).Finish(true);
  EXPECT_EQ(forward.directions, shuffled.directions);
  EXPECT_EQ(forward.states, shuffled.states);
  EXPECT_EQ(forward.content_digest, shuffled.content_digest);
  for (size_t i = 0; i < forward.reports.size(); ++i)
    EXPECT_EQ(forward.reports[i].auc, shuffled.reports[i].auc);
}

TEST(Fit, MarksALayerWithoutDifferenceUnusable) {
  const DirectionSet set = MadeSet("a");
  for (size_t p = 0; p < set.positions.size(); ++p) {
    const LayerReport& embedding = set.Report(p, 0);
    EXPECT_FALSE(embedding.usable);
    EXPECT_LT(embedding.norm, 1e-6);
    EXPECT_EQ(embedding.auc, 0.5);
    EXPECT_EQ(embedding.projection_gap, 0);
    EXPECT_TRUE(set.Report(p, 1).usable);
    EXPECT_EQ(set.Report(p, 2).position, set.positions[p]);
    EXPECT_EQ(set.Report(p, 2).layer, 2);
  }
}

// 128 prompts a class, shift 6 along one axis of unit noise: the held-out gap is close to the shift
// and every held-out pair is in order but for some hundred-thousandths.
TEST(Fit, ReportsSeparationOfWhatWasNotFittedOn) {
  const int64_t n = 64;
  for (double shift : {6.0, 0.0}) {
    DirectionFit fit({-1}, 2, 32, n, n);
    for (int i = 0; i < n; ++i) {
      ASSERT_TRUE(
          fit.AddPrompt(PromptClass::kHarmful, i, MadeStates(1, 2, 32, true, i, shift)).ok());
      ASSERT_TRUE(
          fit.AddPrompt(PromptClass::kHarmless, i, MadeStates(1, 2, 32, false, i, shift)).ok());
    }
    const DirectionSet set = *fit.Finish(false);
    const LayerReport& report = set.Report(0, 1);
    EXPECT_TRUE(set.states.empty());
    if (shift > 0) {
      EXPECT_NEAR(report.projection_gap, 6, 0.5);
      EXPECT_GT(report.auc, 0.99);
      EXPECT_GT(report.largest_coordinate_share, 0.9);
      EXPECT_NEAR(report.norm, 6, 0.6);
    } else {
      // Fitted on the same prompts, noise alone would seem to separate (gap = norm, near 1): held
      // out, not.
      EXPECT_GT(report.norm, 0.7);
      EXPECT_LT(std::abs(report.projection_gap), 0.35);
      EXPECT_NEAR(report.auc, 0.5, 0.12);
    }
    EXPECT_NEAR(report.mean_state_norm, std::sqrt(31.5), 0.4);
  }
}

TEST(Fit, UsesAsManyFoldsAsTheSmallerClassHasPrompts) {
  // Two prompts a class on one axis: fold 0 is fitted on prompt 1 and the other way round.
  const float harmful[2] = {4, 6}, harmless[2] = {1, -1};
  const Separation separation =
      CrossValidate({&harmful[0], &harmful[1]}, {&harmless[0], &harmless[1]}, 1);
  EXPECT_DOUBLE_EQ(separation.projection_gap, 5);
  EXPECT_DOUBLE_EQ(separation.auc, 1);
  // Where a fold's other prompts point the other way, its own projections turn around.
  const float turned[2] = {4, -6};
  const Separation mixed = CrossValidate({&turned[0], &turned[1]}, {&harmless[0], &harmless[1]}, 1);
  // Fold 0: direction -6 - -1 < 0: gap -(4 - 1); fold 1: 4 - 1 > 0: gap -6 - -1. Means over
  // prompts.
  EXPECT_DOUBLE_EQ(mixed.projection_gap, (-4 - 6) / 2.0 - (-1 - 1) / 2.0);
  EXPECT_DOUBLE_EQ(mixed.auc, 0);
  // Fold 0 is fitted on prompts that do not differ, and so separates nothing.
  const float same[2] = {4, -1};
  const Separation half = CrossValidate({&same[0], &same[1]}, {&harmless[0], &harmless[1]}, 1);
  EXPECT_DOUBLE_EQ(half.projection_gap, 0);
  EXPECT_DOUBLE_EQ(half.auc, 0.5);
}

TEST(Fit, CountsTiesHalf) {
  EXPECT_DOUBLE_EQ(AreaUnderCurve({1, 2, 3}, {0, 2}), (1 + 0 + 1 + 0.5 + 1 + 1) / 6.0);
  EXPECT_DOUBLE_EQ(AreaUnderCurve({5, 5}, {5, 5, 5}), 0.5);
  EXPECT_DOUBLE_EQ(AreaUnderCurve({}, {1}), 0.5);
  EXPECT_DOUBLE_EQ(AreaUnderCurve({1}, {}), 0.5);
}

TEST(Fit, RefusesWhatItCannotAverage) {
  DirectionFit fit({-1, -4}, 2, 3, 2, 2);
  std::vector<float> states(2 * 5 * 3, 1.0f);
  EXPECT_EQ(fit.AddPrompt(PromptClass::kHarmful, 2, states).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(fit.AddPrompt(PromptClass::kHarmless, -1, states).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fit.AddPrompt(PromptClass::kHarmful, 0, {1.0f}).ok());
  EXPECT_TRUE(fit.AddPrompt(PromptClass::kHarmful, 0, states).ok());
  EXPECT_EQ(fit.AddPrompt(PromptClass::kHarmful, 0, states).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(fit.Finish(false).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(fit.Finish(false).status().message()),
              testing::HasSubstr("of harmful prompt 1 are missing"));
  EXPECT_TRUE(fit.AddPrompt(PromptClass::kHarmful, 1, states).ok());
  EXPECT_THAT(std::string(fit.Finish(false).status().message()),
              testing::HasSubstr("of harmless prompt 0 are missing"));
  states[(5 + 3) * 3 + 2] = std::numeric_limits<float>::quiet_NaN();
  const absl::Status status = fit.AddPrompt(PromptClass::kHarmless, 1, states);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonOf(status), "NON_FINITE_STATES");
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("site 3, position -4"));
  for (const auto& [harmful, harmless] : {std::pair{1, 2}, std::pair{2, 1}}) {
    EXPECT_THAT(
        std::string(DirectionFit({-1}, 1, 1, harmful, harmless).Finish(false).status().message()),
        testing::HasSubstr("a fit needs two prompts of each class"));
  }
}

// Two prompts of each class, all of a class alike, one layer; states [3, hidden] at one position.
absl::StatusOr<DirectionSet> FitOf(const std::vector<float>& harmful,
                                   const std::vector<float>& harmless) {
  DirectionFit fit({-1}, 1, static_cast<int64_t>(harmful.size() / 3), 2, 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(fit.AddPrompt(PromptClass::kHarmful, i, harmful).ok());
    EXPECT_TRUE(fit.AddPrompt(PromptClass::kHarmless, i, harmless).ok());
  }
  return fit.Finish(false);
}

TEST(Fit, RefusesFiniteStatesWhoseDifferenceOrNormIsNot) {
  const std::vector<float> large = {3e38f, 0, 0}, opposite = {-3e38f, 0, 0};
  const std::vector<float> none(6, 0.0f), long_one = {3e38f, 3e38f, 0, 0, 0, 0};
  EXPECT_EQ(ReasonOf(FitOf(large, opposite).status()), "NON_FINITE_STATES");
  EXPECT_EQ(ReasonOf(FitOf(long_one, none).status()), "NON_FINITE_STATES");
  EXPECT_EQ(ReasonOf(FitOf(none, long_one).status()), "NON_FINITE_STATES");
}

TEST(Fit, ADifferenceThatIsRoundingBesideTheStatesIsUnusable) {
  const auto at = [](float value) { return std::vector<float>{value, 1e6f, 0, 0, 0, 0}; };
  const auto small = FitOf(at(0.5f), at(0)), enough = FitOf(at(2), at(0));
  ASSERT_TRUE(small.ok() && enough.ok());
  EXPECT_EQ(small->Report(0, 0).norm, 0.5);
  EXPECT_FALSE(small->Report(0, 0).usable);
  EXPECT_TRUE(enough->Report(0, 0).usable);
}

TEST(Fit, AZeroMeanHasNoCosine) {
  const auto set = FitOf({1, 2, 0, 0, 0, 0}, std::vector<float>(6, 0.0f));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->Report(0, 0).mean_cosine, 0);
  EXPECT_TRUE(set->Report(0, 0).usable);
}

// The size of Qwen2.5-1.5B with 128 prompts a class, one position: a fit must not be felt beside
// the forward passes that feed it.
TEST(Fit, IsFastAtRealSizes) {
  const int64_t layers = 28, hidden = 1536, n = 128;
  DirectionFit fit({-1}, layers, hidden, n, n);
  std::vector<float> states = Gaussian((2 * layers + 1) * hidden, 3);
  for (int i = 0; i < n; ++i) {
    for (float& value : states) value = value * 0.99f + 0.01f;
    ASSERT_TRUE(fit.AddPrompt(PromptClass::kHarmful, i, states).ok());
    states[static_cast<size_t>(i)] += 1;
    ASSERT_TRUE(fit.AddPrompt(PromptClass::kHarmless, i, states).ok());
  }
  const std::clock_t begin = std::clock();
  ASSERT_TRUE(fit.Finish(true).ok());
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  RecordProperty("milliseconds", static_cast<int>(seconds * 1e3));
  EXPECT_LT(seconds, 3);
}

}  // namespace
}  // namespace steer
