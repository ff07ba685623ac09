// The plans under deploy/plans are what their names say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "client/plan/plan.h"
#include "client/plan/plan_data.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

std::string Plans() { return SourcePath("deploy/plans"); }

TEST(ShippedPlans, AreAllValidAndNamedAsTheirFiles) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Plans())) {
    if (entry.path().extension() != ".yaml") continue;
    auto plan = LoadPlan(entry.path());
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->name, entry.path().stem());
    EXPECT_EQ(plan->model_name, plan->name);
    EXPECT_EQ(plan->rule, "post-1");
    EXPECT_EQ(plan->readout, "post-1");
    EXPECT_EQ(plan->repetition_penalty, 1.0);
    EXPECT_EQ(plan->seeds.size(), 2u);
    names.push_back(plan->name);
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("gemma-3-1b-it", "planted-default",
                                                     "planted-distributed", "planted-fragile",
                                                     "planted-weak", "qwen2.5-1.5b-instruct",
                                                     "refuser", "smollm2"));
}

TEST(ShippedPlans, OfTheRealRunFitTheirData) {
  const std::string root = SharedPath("data");
  if (root.empty()) GTEST_SKIP() << "no ../shared/data beside the repository";
  for (const char* name : {"refuser", "smollm2"}) {
    auto plan = LoadPlan(Plans() + "/" + name + ".yaml");
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->sizes, (SplitSizes{64, 16, 32}));
    EXPECT_EQ(plan->max_new_tokens, 32);
    EXPECT_EQ(plan->dtype, "float32");
    auto data = LoadPlanData(*plan, root);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(data->harmful.sha256,
              "49aa564514ab9c3d10ec90a137083a845907ae664f039145307fb4b48a8e3cf6");
    EXPECT_EQ(data->harmful.rows, 320);
    EXPECT_EQ(data->harmless.sha256,
              "2d0555947eee1b5ee02339ef558e9bd4f03d0ac7c4dc4f3db367268d05452312");
    EXPECT_EQ(data->harmless.rows, 3000);
    EXPECT_EQ(data->splits.size(), 2u);
  }
}

}  // namespace
}  // namespace steer
