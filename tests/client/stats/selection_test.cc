#include "client/stats/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/stats/golden.h"

namespace steer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Selection, EqualsExactFractions) {
  const Json golden = StatsGolden("stats.json");
  int empty = 0;
  int ties = 0;
  ASSERT_EQ(golden["selection"].size(), 300u);
  for (const Json& row : golden["selection"]) {
    const int64_t n_harmful = row["n"][0];
    const int64_t n_harmless = row["n"][1];
    std::vector<LayerCandidate> candidates;
    for (const Json& c : row["candidates"]) {
      candidates.push_back({c[0], c[1], {c[2], n_harmful}, {c[3], n_harmless}});
    }
    auto result = SelectLargestSwing({row["baseline"][0], n_harmful},
                                     {row["baseline"][1], n_harmless}, candidates);
    ASSERT_TRUE(result.ok()) << result.status();
    const std::vector<int> tied = row["tied"];
    EXPECT_EQ(result->tied, tied) << row.dump();
    EXPECT_EQ(result->chosen, !tied.empty());
    EXPECT_EQ(result->layer, tied.empty() ? -1 : tied.front());
    EXPECT_EQ(result->swings.size(), candidates.size());
    empty += tied.empty();
    ties += tied.size() > 1;
  }
  EXPECT_GT(empty, 5);
  EXPECT_GT(ties, 5);
}

TEST(Selection, TakesTheLowestOfATieAndSkipsUnusableLayers) {
  // Layer 2 would win but has no direction; 5 and 9 swing by 12 + 4 and 4 + 12.
  auto result = SelectLargestSwing({16, 16}, {0, 16},
                                   {{9, true, {12, 16}, {12, 16}},
                                    {2, false, {0, 0}, {0, 0}},
                                    {5, true, {4, 16}, {4, 16}},
                                    {7, true, {5, 16}, {4, 16}}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->layer, 5);
  EXPECT_THAT(result->tied, ElementsAre(5, 9));
  ASSERT_EQ(result->swings.size(), 4u);
  EXPECT_FALSE(result->swings[0].usable);
  EXPECT_DOUBLE_EQ(result->swings[1].drop, 0.75);
  EXPECT_DOUBLE_EQ(result->swings[1].rise, 0.25);
  EXPECT_DOUBLE_EQ(result->swings[1].swing(), 1.0);
  // Reports divide by the prompts of cells that have none yet.
  EXPECT_EQ(RefusalCount().rate(), 0.0);
}

TEST(RefusalCounts, AreEqualInBothNumbers) {
  EXPECT_EQ((RefusalCount{3, 10}), (RefusalCount{3, 10}));
  EXPECT_NE((RefusalCount{3, 10}), (RefusalCount{4, 10}));
  EXPECT_NE((RefusalCount{3, 10}), (RefusalCount{3, 11}));
}

// The largest counts that are taken: a product that overflowed would turn the order of the layers round.
TEST(Selection, ComparesTheLargestCountsExactly) {
  constexpr int64_t kMost = 1 << 20;
  auto result = SelectLargestSwing(
      {kMost, kMost}, {0, kMost},
      {{1, true, {1, kMost}, {kMost, kMost}}, {2, true, {0, kMost}, {kMost, kMost}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->tied, ElementsAre(2));
}

TEST(Selection, NegativeSwingsStillHaveALargest) {
  auto result =
      SelectLargestSwing({2, 4}, {2, 4}, {{1, true, {4, 4}, {0, 4}}, {2, true, {3, 4}, {1, 4}}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->layer, 2);
}

TEST(Selection, HasAnOutcomeForNoCandidate) {
  auto none = SelectLargestSwing({4, 4}, {0, 4}, {});
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->chosen);
  auto unusable = SelectLargestSwing({4, 4}, {0, 4}, {{1, false, {}, {}}});
  ASSERT_TRUE(unusable.ok());
  EXPECT_FALSE(unusable->chosen);
  EXPECT_TRUE(unusable->tied.empty());
  EXPECT_EQ(unusable->swings.size(), 1u);
}

TEST(Selection, RefusesCountsThatAreNone) {
  const RefusalCount four = {2, 4};
  auto message = [](const absl::StatusOr<SelectionResult>& r) {
    return std::string(r.status().message());
  };
  EXPECT_THAT(message(SelectLargestSwing({0, 0}, four, {})), HasSubstr("harmful baseline"));
  EXPECT_THAT(message(SelectLargestSwing(four, {5, 4}, {})), HasSubstr("harmless baseline"));
  EXPECT_THAT(message(SelectLargestSwing(four, four, {{3, true, {-1, 4}, four}})),
              HasSubstr("layer 3 ablated"));
  EXPECT_THAT(message(SelectLargestSwing(four, four, {{3, true, four, {5, 4}}})),
              HasSubstr("layer 3 added"));
  EXPECT_THAT(message(SelectLargestSwing({0, (1 << 20) + 1}, four, {})),
              HasSubstr("harmful baseline"));
  EXPECT_THAT(message(SelectLargestSwing(four, four, {{3, true, {2, 5}, four}})),
              HasSubstr("other validation prompts"));
  EXPECT_THAT(message(SelectLargestSwing(four, four, {{3, true, four, {2, 5}}})),
              HasSubstr("other validation prompts"));
  EXPECT_THAT(
      message(SelectLargestSwing(four, four, {{3, true, four, four}, {3, true, four, four}})),
      HasSubstr("layer 3 occurs twice"));
}

}  // namespace
}  // namespace steer
