#include "server/readout/scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/errors.h"
#include "tests/server/readout/golden.h"

namespace steer {
namespace {

std::vector<float> Floats(const Json& texts) {
  std::vector<float> values;
  for (const Json& text : texts) values.push_back(std::stof(text.get<std::string>()));
  return values;
}

TEST(Scores, EqualScipy) {
  const Json cases = Golden("scores.json");
  ASSERT_EQ(cases.size(), 20u);
  for (const Json& item : cases) {
    const std::vector<float> p = Floats(item["p"]), q = Floats(item["q"]);
    const auto ids = item["ids"].get<std::vector<int32_t>>();
    const double log_odds = std::stod(item["log_odds"].get<std::string>());
    const double kl = std::max(0.0, std::stod(item["kl"].get<std::string>()));
    EXPECT_NEAR(*RefusalLogOdds(p, ids), log_odds, 1e-12 * std::max(1.0, std::abs(log_odds)));
    EXPECT_NEAR(*KlDivergence(p, q), kl, 1e-12 * std::max(1.0, kl));
  }
}

TEST(Scores, OfEqualDistributionsAreZero) {
  const std::vector<float> logits = {1.5f, -3.25f, 0.1f, 7.0f};
  std::vector<float> shifted = logits;
  for (float& value : shifted) value += 2.0f;
  EXPECT_EQ(*KlDivergence(logits, logits), 0.0);
  EXPECT_GE(*KlDivergence(logits, shifted), 0.0);
  EXPECT_NEAR(*KlDivergence(logits, shifted), 0.0, 1e-7);
  EXPECT_NEAR(*RefusalLogOdds(std::vector<float>(8, 5.0f), {2}), -std::log(7.0), 1e-14);
}

TEST(Scores, RefuseWhatIsNotFinite) {
  for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                    std::numeric_limits<float>::quiet_NaN()}) {
    const std::vector<float> logits = {0, 1, bad}, good = {0, 1, 2};
    EXPECT_EQ(ReasonOf(RefusalLogOdds(logits, {0}).status()), "NON_FINITE_LOGITS");
    EXPECT_EQ(ReasonOf(KlDivergence(logits, good).status()), "NON_FINITE_LOGITS");
    EXPECT_EQ(KlDivergence(good, logits).status().code(), absl::StatusCode::kInternal);
  }
}

TEST(Scores, RefuseIdsThatNameNoDistribution) {
  const std::vector<float> logits = {0, 1, 2};
  for (const std::vector<int32_t>& ids :
       std::vector<std::vector<int32_t>>{{}, {0, 1, 2}, {3}, {-1}, {1, 1}, {1, 0}}) {
    EXPECT_EQ(RefusalLogOdds(logits, ids).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(RefusalLogOdds({}, {0}).status().message(),
            "refusal ids: 1 given; wanted are 1 to 0 of 0 tokens");
  EXPECT_FALSE(KlDivergence({}, {}).ok());
  EXPECT_FALSE(KlDivergence(logits, {0, 1}).ok());
}

}  // namespace
}  // namespace steer
