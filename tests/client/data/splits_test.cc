#include "client/data/splits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/client/data/vocabulary.h"

namespace steer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Pools MakePools(int64_t harmful, int64_t harmless) {
  auto pools = BuildPools(RandomFile("h", 0, harmful), RandomFile("b", 1 << 20, harmless));
  EXPECT_TRUE(pools.ok()) << pools.status();
  return *std::move(pools);
}

std::vector<int64_t> Rows(const std::vector<PromptRecord>& records) {
  std::vector<int64_t> rows;
  for (const PromptRecord& record : records) rows.push_back(record.row);
  return rows;
}

TEST(Splits, HaveTheirSizesAndNoPromptTwiceForManySeeds) {
  const Pools pools = MakePools(60, 90);
  const SplitSizes sizes = {20, 8, 15};
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto splits = DrawSplits(pools, sizes, seed);
    ASSERT_TRUE(splits.ok());
    EXPECT_EQ(splits->seed, seed);
    std::set<std::string> hashes;
    for (PromptClass c : {PromptClass::kHarmful, PromptClass::kHarmless}) {
      for (SplitPart part : kSplitParts) {
        ASSERT_EQ(static_cast<int64_t>(splits->of(c).of(part).size()), sizes.of(part));
        for (const PromptRecord& record : splits->of(c).of(part)) {
          EXPECT_TRUE(hashes.insert(record.hash).second) << "seed " << seed;
          EXPECT_EQ(record.text, pools.of(c).prompts[static_cast<size_t>(record.row)].text);
        }
      }
    }
    EXPECT_EQ(hashes.size(), 86u);
  }
}

TEST(Splits, CoverThePoolEvenly) {
  const Pools pools = MakePools(30, 30);
  std::map<int64_t, int> in_test;
  const int seeds = 3000;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    auto splits = DrawSplits(pools, {10, 5, 10}, seed);
    for (int64_t row : Rows(splits->harmful.test)) ++in_test[row];
  }
  // A third each; 6 standard deviations are 155.
  for (int64_t row = 0; row < 30; ++row) EXPECT_NEAR(in_test[row], seeds / 3, 155) << row;
}

TEST(Splits, DependOnSeedAndClass) {
  // Both classes have the same rows: equal draws would show.
  const Pools pools = MakePools(100, 100);
  const SplitSizes sizes = {30, 10, 20};
  auto first = DrawSplits(pools, sizes, 0);
  auto again = DrawSplits(pools, sizes, 0);
  auto second = DrawSplits(pools, sizes, 1);
  EXPECT_EQ(Rows(first->harmful.train), Rows(again->harmful.train));
  EXPECT_EQ(Rows(first->harmless.test), Rows(again->harmless.test));
  EXPECT_NE(Rows(first->harmful.train), Rows(second->harmful.train));
  EXPECT_NE(Rows(first->harmful.train), Rows(first->harmless.train));
}

// Locks name kSplitVersion: if these rows change, so must that.
TEST(Splits, ArePinned) {
  auto splits = DrawSplits(MakePools(20, 20), {3, 2, 3}, 7);
  EXPECT_THAT(Rows(splits->harmful.train), ElementsAre(0, 16, 14));
  EXPECT_THAT(Rows(splits->harmful.validation), ElementsAre(2, 4));
  EXPECT_THAT(Rows(splits->harmless.test), ElementsAre(3, 18, 16));
  EXPECT_STREQ(kSplitVersion, "split-1");
}

TEST(Splits, UseAPoolToItsLastPromptAndNoFurther) {
  const Pools pools = MakePools(10, 12);
  EXPECT_TRUE(DrawSplits(pools, {5, 2, 3}, 0).ok());
  auto more = DrawSplits(pools, {5, 3, 3}, 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(more.status()));
  EXPECT_THAT(std::string(more.status().message()),
              HasSubstr("11 harmful prompts (train 5, validation 3, test 3) and 10 are left"));
  for (const SplitSizes& sizes : {SplitSizes{-1, 5, 3}, {5, -1, 3}, {5, 3, -1}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(DrawSplits(pools, sizes, 0).status()));
  }
  more = DrawSplits(MakePools(12, 10), {5, 3, 3}, 0);
  EXPECT_THAT(std::string(more.status().message()), HasSubstr("11 harmless prompts"));
}

TEST(Splits, SizesAreEqualInEveryPart) {
  const SplitSizes sizes = {3, 2, 1};
  for (const SplitSizes& other : {SplitSizes{4, 2, 1}, {3, 4, 1}, {3, 2, 4}}) {
    EXPECT_NE(sizes, other);
  }
}

}  // namespace
}  // namespace steer
