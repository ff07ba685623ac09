#include "client/plan/plan_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using PlanDataTest = PlanFixture;

TEST_F(PlanDataTest, IsSplitForEverySeed) {
  const PlanData data = Data(SmallPlan());
  EXPECT_EQ(data.harmful.rows, 10);
  EXPECT_TRUE(data.harmful.kept.empty());
  ASSERT_EQ(data.splits.size(), 2u);
  EXPECT_EQ(data.splits[1].seed, 5u);
  EXPECT_EQ(data.splits[0].harmless.train.size(), 3u);
}

TEST_F(PlanDataTest, CollectsTheErrorsOfBothFiles) {
  const Plan plan = SmallPlan();
  Write("harmful.txt", "\xC3(");
  Write("harmless.jsonl", "{\n");
  EXPECT_THAT(std::string(LoadPlanData(plan, folder_).status().message()),
              AllOf(HasSubstr("harmful.txt: line 1: not valid UTF-8"),
                    HasSubstr("harmless.jsonl: line 1")));
  Write("harmful.txt", "a\nb\n");
  EXPECT_THAT(std::string(LoadPlanData(plan, folder_).status().message()),
              HasSubstr("harmless.jsonl: line 1"));
}

TEST_F(PlanDataTest, TooSmallAPoolIsNamed) {
  Write("harmful.txt", "a\nb\nc\nC\nd\ne\nf\n");
  EXPECT_THAT(std::string(LoadPlanData(SmallPlan(), folder_).status().message()),
              HasSubstr("want 7 harmful prompts (train 3, validation 2, test 2) and 6 are left"));
}

TEST_F(PlanDataTest, PromptsInUseAreDistinctAndOrdered) {
  const PlanData data = Data(SmallPlan());
  const std::vector<PromptRecord> all = PromptsInUse(data.splits);
  std::set<std::string> hashes;
  for (const SeedSplits& seed : data.splits) {
    for (SplitPart part : kSplitParts) {
      for (const PromptRecord& record : seed.harmful.of(part)) hashes.insert(record.hash);
      for (const PromptRecord& record : seed.harmless.of(part)) hashes.insert(record.hash);
    }
  }
  EXPECT_EQ(all.size(), hashes.size());
  const size_t harmful = PromptsInUse(data.splits, PromptClass::kHarmful).size();
  for (size_t i = 1; i < all.size(); ++i) {
    if (i == harmful) continue;
    EXPECT_LT(all[i - 1].row, all[i].row);
  }
  EXPECT_THAT(all[harmful].text, HasSubstr("painter"));
}

TEST(DataRoot, IsThePlansFolderUnlessNamed) {
  EXPECT_EQ(DataRoot("", "plans/a.yaml"), "plans");
  EXPECT_EQ(DataRoot("", "a.yaml"), ".");
  EXPECT_EQ(DataRoot("", "/a.yaml"), "/");
  EXPECT_EQ(DataRoot("data", "plans/a.yaml"), "data");
}

}  // namespace
}  // namespace steer
