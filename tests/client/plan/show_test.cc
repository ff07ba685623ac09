#include "client/plan/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::HasSubstr;

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
