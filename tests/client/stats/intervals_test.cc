#include "client/stats/intervals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/client/stats/golden.h"

namespace steer {
namespace {

TEST(Intervals, EqualScipy) {
  const Json golden = StatsGolden("stats.json");
  ASSERT_GT(golden["intervals"].size(), 80u);
  for (const Json& row : golden["intervals"]) {
    const int64_t k = row[0];
    const int64_t n = row[1];
    SCOPED_TRACE(row.dump());
    const Interval wilson = WilsonInterval(k, n);
    EXPECT_NEAR(wilson.low, row[2].get<double>(), 1e-13);
    EXPECT_NEAR(wilson.high, row[3].get<double>(), 1e-13);
    const Interval exact = ClopperPearsonInterval(k, n);
    EXPECT_NEAR(exact.low, row[4].get<double>(), 1e-12);
    EXPECT_NEAR(exact.high, row[5].get<double>(), 1e-12);
    const Interval tight = ClopperPearsonInterval(k, n, 0.99);
    EXPECT_NEAR(tight.low, row[6].get<double>(), 1e-12);
    EXPECT_NEAR(tight.high, row[7].get<double>(), 1e-12);
  }
}

TEST(Intervals, EndAtZeroAndOneExactly) {
  EXPECT_EQ(WilsonInterval(0, 32).low, 0.0);
  EXPECT_EQ(WilsonInterval(32, 32).high, 1.0);
  EXPECT_EQ(ClopperPearsonInterval(0, 32).low, 0.0);
  EXPECT_EQ(ClopperPearsonInterval(32, 32).high, 1.0);
  EXPECT_NEAR(ClopperPearsonInterval(0, 100).high, 1 - std::pow(0.025, 0.01), 1e-13);
}

TEST(Intervals, OfAllCertaintyExcludeNothing) {
  const Interval all = ClopperPearsonInterval(3, 7, 1.0);
  EXPECT_NEAR(all.low, 0.0, 1e-15);
  EXPECT_GT(all.high, 0.999);  // where 1 - I is below rounding
}

TEST(Intervals, KnowNothingWithoutPrompts) {
  EXPECT_EQ(WilsonInterval(0, 0).low, 0.0);
  EXPECT_EQ(WilsonInterval(0, 0).high, 1.0);
  EXPECT_EQ(ClopperPearsonInterval(0, 0).high, 1.0);
}

TEST(RegularisedBeta, EqualsScipy) {
  const Json golden = StatsGolden("stats.json");
  ASSERT_GT(golden["beta"].size(), 100u);
  for (const Json& row : golden["beta"]) {
    const double expected = row[3];
    EXPECT_NEAR(RegularisedBeta(row[0], row[1], row[2]), expected, 1e-12 + 1e-11 * expected)
        << row.dump();
  }
  EXPECT_EQ(RegularisedBeta(2, 3, 0), 0.0);
  EXPECT_EQ(RegularisedBeta(2, 3, 1), 1.0);
}

}  // namespace
}  // namespace steer
