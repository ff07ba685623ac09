#include "client/stats/significance.h"

#include <gtest/gtest.h>

#include "tests/client/stats/golden.h"

namespace steer {
namespace {

TEST(McNemar, EqualsScipysExactBinomialTest) {
  const Json golden = StatsGolden("stats.json");
  ASSERT_GT(golden["mcnemar"].size(), 170u);
  for (const Json& row : golden["mcnemar"]) {
    const double expected = row[2];
    EXPECT_NEAR(McNemarExact(row[0], row[1]), expected, 1e-9 * expected + 1e-300) << row.dump();
  }
}

TEST(Pairs, AreCountedByPrompt) {
  auto counts = CountPairs({true, true, false, false, true}, {true, false, true, false, false});
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->both, 1);
  EXPECT_EQ(counts->only_first, 2);
  EXPECT_EQ(counts->only_second, 1);
  EXPECT_EQ(counts->neither, 1);
  EXPECT_FALSE(CountPairs({true}, {true, false}).ok());
}

TEST(Rank, IsPhipsonAndSmyths) {
  const Json golden = StatsGolden("stats.json");
  ASSERT_EQ(golden["rank"].size(), 16u);
  for (const Json& row : golden["rank"]) {
    EXPECT_DOUBLE_EQ(RankPValue(row[0].get<int64_t>(), row[1].get<int64_t>()),
                     row[2].get<double>());
  }
  EXPECT_EQ(RankPValue(0, 0), 1.0);
  // A draw as large as the observed value counts against it.
  EXPECT_DOUBLE_EQ(RankPValue(0.5, {0.1, 0.5, 0.7, 0.2}), 3.0 / 5.0);
}

}  // namespace
}  // namespace steer
