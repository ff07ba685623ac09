#include "client/plan/arms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Names(const std::vector<ArmSpec>& arms) {
  std::vector<std::string> names;
  for (const ArmSpec& arm : arms) names.push_back(arm.name);
  return names;
}

TEST(Arms, OfTheTestSplitAreThePosts) {
  Plan plan;
  const std::vector<ArmSpec> arms = TestArms(plan);
  EXPECT_THAT(Names(arms),
              ElementsAre("baseline/harmful", "ablate/harmful", "ablate-control-0/harmful",
                          "baseline/harmless", "add/harmless", "add-control-0/harmless"));
  EXPECT_EQ(arms[0].edit, EditKind::kNone);
  EXPECT_EQ(arms[1].edit, EditKind::kAblate);
  EXPECT_FALSE(arms[1].control_draw.has_value());
  EXPECT_EQ(arms[2].edit, EditKind::kAblate);
  EXPECT_EQ(arms[2].control_draw, 0);
  EXPECT_EQ(arms[4].edit, EditKind::kAdd);
  EXPECT_EQ(arms[4].prompts, PromptClass::kHarmless);
  EXPECT_EQ(arms[5].control_draw, 0);
  plan.control_draws = 3;
  EXPECT_EQ(TestArms(plan).size(), 10u);
  EXPECT_EQ(TestArms(plan)[4].name, "ablate-control-2/harmful");
}

TEST(Arms, OfSelectionAreTwoALayer) {
  const std::vector<ArmSpec> arms = SelectionArms({2, 7});
  EXPECT_THAT(Names(arms), ElementsAre("baseline/harmful", "baseline/harmless",
                                       "layer-2/ablate/harmful", "layer-2/add/harmless",
                                       "layer-7/ablate/harmful", "layer-7/add/harmless"));
  EXPECT_EQ(arms[4].layer, 7);
  EXPECT_EQ(arms[4].prompts, PromptClass::kHarmful);
  EXPECT_EQ(arms[5].edit, EditKind::kAdd);
}

TEST(Arms, CandidatesLeaveOutTheEmbedding) {
  Plan plan;
  EXPECT_THAT(CandidateLayers(plan, 4), ElementsAre(1, 2, 3));
  EXPECT_TRUE(CandidateLayers(plan, 1).empty());
  plan.layers = std::vector<int>{2};
  EXPECT_THAT(CandidateLayers(plan, 4), ElementsAre(2));
}

TEST(Arms, EverySeedHasItsOwnControl) {
  Plan plan;
  plan.control_seed = 7;
  EXPECT_EQ(ControlSeed(plan, 0), 7u);
  EXPECT_EQ(ControlSeed(plan, 5), 12u);
}

}  // namespace
}  // namespace steer
