#include "client/plan/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/plan/words.h"
#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using ShowTest = PlanFixture;

TEST_F(ShowTest, SaysWhatIsLocked) {
  const Lock lock = Freeze(SmallPlan());
  const std::string text = RenderLock(lock);
  for (const std::string& words :
       {lock.digest, lock.model_fingerprint, lock.harmful.sha256,
        std::string("toy, 4 blocks, float32"),
        std::string("among layers 1 to 3, ties to the lowest"),
        std::string("train 3, validation 2, test 2"), std::string("greedy, 8 new tokens"),
        std::string("isotropic, seed 7 + experiment seed, draws 1"),
        std::string("ablate-control-0/harmful"), lock.rule_digest}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
}

TEST_F(ShowTest, LayersAreARunOrAList) {
  Lock lock = Freeze(SmallPlan());
  const std::pair<std::vector<int>, const char*> cases[] = {
      {{}, "among layers none, ties"},
      {{3}, "among layers 3, ties"},
      {{2, 3}, "among layers 2, 3, ties"},
      {{1, 2, 4}, "among layers 1, 2, 4, ties"},
      {{2, 3, 4}, "among layers 2 to 4, ties"}};
  for (const auto& [layers, words] : cases) {
    lock.candidate_layers = layers;
    EXPECT_THAT(RenderLock(lock), HasSubstr(words));
  }
}

TEST_F(ShowTest, APenaltyIsNamedAndALongListOfArmsCut) {
  Plan plan = SmallPlan();
  EXPECT_THAT(RenderLock(Freeze(plan)), Not(HasSubstr("repetition")));
  EXPECT_THAT(RenderLock(Freeze(plan)), Not(HasSubstr(" more")));
  plan.repetition_penalty = 1.25;
  plan.control_draws = 5;  // 2 * (2 + 5) arms
  const std::string text = RenderLock(Freeze(plan));
  EXPECT_THAT(text, HasSubstr("8 new tokens, repetition penalty 1.25"));
  EXPECT_THAT(text, HasSubstr("add-control-2/harmless, and 2 more\n"));
}

TEST(Words, SecondsHaveTheUnitThatSuits) {
  const std::pair<double, const char*> cases[] = {{0.44, "0.4 s"},   {12, "12 s"},
                                                  {119, "119 s"},    {180, "3 min"},
                                                  {7199, "120 min"}, {9000, "2.5 h"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(SecondsText(seconds), text);
}

TEST_F(ShowTest, SplitsAreRowsAndHashesOrTexts) {
  const Plan plan = SmallPlan();
  const PlanData data = Data(plan);
  const Json hashes = SplitsJson(data.splits);
  EXPECT_EQ(hashes["5"]["harmful"]["test"][0][1], data.splits[1].harmful.test[0].hash);
  EXPECT_EQ(hashes.dump().find("sketch"), std::string::npos);
  const Json texts = SplitsTextJson(data.splits[0]);
  ASSERT_EQ(texts["harmless"]["train"].size(), 3u);
  EXPECT_EQ(texts["harmless"]["train"][2], data.splits[0].harmless.train[2].text);
  EXPECT_EQ(texts.size(), 2u);
}

}  // namespace
}  // namespace steer
