#include "client/plan/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using CheckTest = PlanFixture;

TEST_F(CheckTest, SaysWhatThereIsWithoutAServer) {
  Write("harmful.txt", absl::StrCat("\n", *ReadFile(folder_ + "/harmful.txt"),
                                    "which lakes would a painter choose?\n"));
  const Plan plan = SmallPlan();
  auto check = CheckPlan(plan, Data(plan), nullptr, {});
  ASSERT_TRUE(check.ok());
  EXPECT_EQ(check->harmful.rows, 12);
  EXPECT_EQ(check->harmful.blank, 1);
  EXPECT_EQ(check->harmful.in_both, 1);
  EXPECT_EQ(check->harmful_pool, 10);
  EXPECT_EQ(check->harmless_pool, 9);
  EXPECT_FALSE(check->work.has_value());
  EXPECT_THAT(check->violations, IsEmpty());
  EXPECT_THAT(
      check->warnings,
      Contains(HasSubstr("differ in final punctuation: 0 % of harmful and 100 % of harmless")));
  const std::string text = RenderPlanCheck(plan, *check);
  EXPECT_THAT(
      text,
      HasSubstr("12 rows: 1 blank, 0 filtered, 0 duplicates, 1 in both classes; 10 prompts left"));
  EXPECT_THAT(text, HasSubstr("the plan can be frozen"));
  EXPECT_THAT(PlanCheckJson(*check)["harmless"]["prompts"], 9);
}

TEST_F(CheckTest, ReportsNearTwinsByRowAndNeverPromptText) {
  std::string harmful;
  for (int i = 0; i < 10; ++i)
    absl::StrAppend(&harmful, "sketch the very long garden path that leads to house ", i, "\n");
  Write("harmful.txt", harmful);
  std::string harmless;
  for (int i = 0; i < 10; ++i) {
    absl::StrAppend(&harmless, "{\"prompt\": \"", std::string(20, static_cast<char>('a' + i)),
                    "\"}\n");
  }
  Write("harmless.jsonl", harmless);
  const Plan plan = SmallPlan();
  auto check = CheckPlan(plan, Data(plan), nullptr, {});
  ASSERT_TRUE(check.ok());
  // Train, validation and test of 3, 2 and 2 for each of two seeds: 3 * 2 + 3 * 2 + 2 * 2 pairs
  // each.
  EXPECT_EQ(check->twins.size(), 32u);
  EXPECT_THAT(check->warnings, Contains(HasSubstr("32 pairs of near twins")));
  const std::string text = RenderPlanCheck(plan, *check);
  EXPECT_THAT(text, HasSubstr("and 12 more"));
  const std::string json = PlanCheckJson(*check).dump();
  EXPECT_EQ(PlanCheckJson(*check)["near_twins"].size(), 32u);
  for (const char* word : {"sketch", "garden", "aaaa"}) {
    EXPECT_THAT(text, Not(HasSubstr(word)));
    EXPECT_THAT(json, Not(HasSubstr(word)));
  }
}

TEST_F(CheckTest, AsksTheServer) {
  Plan plan = SmallPlan();
  plan.dtype = "bfloat16";
  const PlanData data = Data(plan);
  ServerFacts facts = ToyFacts();
  facts.suggested_repetition_penalty = 1.1;
  TokenCounts tokens;
  for (const PromptRecord& record : PromptsInUse(data.splits)) tokens[record.hash] = 20;
  tokens[data.splits[0].harmful.test[0].hash] = 121;
  auto check = CheckPlan(plan, data, &facts, tokens);
  ASSERT_TRUE(check.ok());
  ASSERT_EQ(check->violations.size(), 2u);
  EXPECT_EQ(check->violations[0].field, "model.dtype");
  EXPECT_EQ(check->violations[1].field, "data.harmful");
  EXPECT_THAT(check->violations[1].description,
              HasSubstr("121 tokens and 8 may follow: above the server's 128"));
  EXPECT_THAT(check->warnings, Contains(HasSubstr("repetition penalty of 1.1")));
  EXPECT_GT(check->work->seconds, 0);
  const std::string text = RenderPlanCheck(plan, *check);
  EXPECT_THAT(text, HasSubstr("error: model.dtype"));
  EXPECT_THAT(text, HasSubstr("cannot be frozen"));
  // 120 tokens and 8 more fill the context exactly.
  tokens[data.splits[0].harmful.test[0].hash] = 120;
  EXPECT_EQ(CheckPlan(plan, data, &facts, tokens)->violations.size(), 1u);
}

TEST_F(CheckTest, WhatIsNotKnownIsNotHeldAgainstThePlan) {
  Plan plan = SmallPlan();
  plan.model_fingerprint = ToyFacts().model_fingerprint;
  plan.repetition_penalty = 1.1;
  const PlanData data = Data(plan);
  ServerFacts facts = ToyFacts();
  facts.suggested_repetition_penalty = 1.1;
  facts.max_context_tokens = 0;
  TokenCounts tokens;  // of one class
  for (const PromptRecord& record : PromptsInUse(data.splits, PromptClass::kHarmful))
    tokens[record.hash] = 1000;
  const auto check = CheckPlan(plan, data, &facts, tokens);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_THAT(check->violations, IsEmpty());
  EXPECT_EQ(check->token_difference, 0);
  EXPECT_THAT(check->warnings, Not(Contains(HasSubstr("repetition penalty"))));
  EXPECT_THAT(check->warnings, Not(Contains(HasSubstr("fingerprint"))));
}

TEST_F(CheckTest, APromptThatIsNotUtf8IsRefused) {
  const Plan plan = SmallPlan();
  PlanData data = Data(plan);
  data.splits[0].harmful.test[0].text = "\xC3(";
  EXPECT_TRUE(absl::IsInvalidArgument(CheckPlan(plan, data, nullptr, {}).status()));
}

TEST_F(CheckTest, JsonHoldsViolationsAndWorkWithoutTimes) {
  Plan plan = SmallPlan();
  plan.dtype = "bfloat16";
  ServerFacts facts = ToyFacts();
  facts.prefill_tokens_per_second = 0;
  auto check = CheckPlan(plan, Data(plan), &facts, {});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_FALSE(check->work->timed);
  EXPECT_THAT(RenderPlanCheck(plan, *check), HasSubstr("unknown: the server measured no rates"));
  Json json = PlanCheckJson(*check);
  ASSERT_EQ(json["violations"].size(), 1u);
  EXPECT_EQ(json["violations"][0]["field"], "model.dtype");
  EXPECT_EQ(json["violations"][0]["description"], check->violations[0].description);
  // A trial tells nothing where there are no rates; nor do several servers.
  check->trial = Trial{40, 2.5};
  check->servers = 2;
  json = PlanCheckJson(*check);
  EXPECT_FALSE(json["work"].contains("trial"));
  EXPECT_EQ(json["work"]["servers"], 2);
  EXPECT_TRUE(json["work"]["spread_seconds"].is_null());
  EXPECT_THAT(RenderPlanCheck(plan, *check), Not(HasSubstr("by a trial")));
  check->spread_seconds = 90;
  EXPECT_EQ(PlanCheckJson(*check)["work"]["spread_seconds"], 90);
  EXPECT_THAT(RenderPlanCheck(plan, *check),
              HasSubstr("on 2 servers, each seed whole on one: 90 s"));
}

Plan PlanToEstimate() {
  Plan plan;
  plan.sizes = {64, 16, 32};
  plan.seeds = {0, 1};
  plan.max_new_tokens = 32;
  return plan;
}

ServerFacts FactsToEstimate() {
  ServerFacts facts = ToyFacts();
  facts.layers = 30;
  facts.decode_rows = 32;
  return facts;
}

TEST(Estimate, CountsRowsStepsAndSeconds) {
  Plan plan = PlanToEstimate();
  ServerFacts facts = FactsToEstimate();
  const WorkEstimate work = EstimateWork(plan, facts, 25);
  ASSERT_EQ(work.stages.size(), 3u);
  EXPECT_EQ(work.stages[0].rows, 256);
  EXPECT_EQ(work.stages[0].decode_steps, 0);
  EXPECT_DOUBLE_EQ(work.stages[0].seconds, 256 * 25 / 1000.0);
  // (2 baselines + 29 layers * 2) * 16 rows = 960 a seed: 30 waves of 32 rows.
  EXPECT_EQ(work.stages[1].rows, 1920);
  EXPECT_EQ(work.stages[1].decode_steps, 30 * 32 * 2);
  EXPECT_DOUBLE_EQ(work.stages[1].seconds, 1920 * 25 / 1000.0 + 1920 / 10.0);
  EXPECT_EQ(work.stages[2].rows, 6 * 32 * 2);
  EXPECT_EQ(work.stages[2].decode_steps, 6 * 32 * 2);
  EXPECT_DOUBLE_EQ(work.seconds,
                   work.stages[0].seconds + work.stages[1].seconds + work.stages[2].seconds);
  plan.scores = true;
  EXPECT_EQ(EstimateWork(plan, facts, 25).stages.back().rows, 2 * 2 * 48);
  facts.decode_steps_per_second = 0;
  EXPECT_FALSE(EstimateWork(plan, facts, 25).timed);
  EXPECT_EQ(EstimateWork(plan, facts, 25).seconds, 0);
}

TEST(Estimate, ATrialGivesThePaceOfRowsThatDecode) {
  const Plan plan = PlanToEstimate();
  ServerFacts facts = FactsToEstimate();
  const WorkEstimate work = EstimateWork(plan, facts, 25);
  // 1920 and 384 rows of 0.05 s; 256 prompts of 25 tokens at 1000 a second.
  EXPECT_DOUBLE_EQ(*ExpectedSeconds(work, facts, {40, 2}), 2304 * 0.05 + 6.4);
  EXPECT_FALSE(ExpectedSeconds(work, facts, {0, 2}).has_value());
  facts.prefill_tokens_per_second = 0;
  EXPECT_FALSE(ExpectedSeconds(work, facts, {40, 2}).has_value());
}

TEST_F(CheckTest, AnExpectedTimeStandsBesideTheBound) {
  const Plan plan = SmallPlan();
  const PlanData data = Data(plan);
  const ServerFacts facts = ToyFacts();
  auto check = CheckPlan(plan, data, &facts, {});
  ASSERT_TRUE(check.ok());
  EXPECT_THAT(RenderPlanCheck(plan, *check), Not(HasSubstr("by a trial")));
  EXPECT_FALSE(PlanCheckJson(*check)["work"].contains("expected_seconds"));
  check->trial = Trial{40, 2.5};
  check->expected_seconds = 12.5;
  EXPECT_THAT(RenderPlanCheck(plan, *check),
              HasSubstr("by a trial of 40 training prompts that took 2.5 s"));
  EXPECT_EQ(PlanCheckJson(*check)["work"]["expected_seconds"], 12.5);
  EXPECT_EQ(PlanCheckJson(*check)["work"]["trial"]["rows"], 40);
}

TEST(Estimate, SpreadsWholeSeedsOverServers) {
  WorkEstimate fast, slow;
  fast.timed = slow.timed = true;
  fast.seconds = 30;  // 10 a seed
  slow.seconds = 60;  // 20 a seed
  EXPECT_DOUBLE_EQ(*SpreadSeconds({fast}, 3), 30);
  // Two seeds at once, then the third: a seed is never divided.
  EXPECT_DOUBLE_EQ(*SpreadSeconds({fast, fast}, 3), 20);
  EXPECT_DOUBLE_EQ(*SpreadSeconds({fast, slow}, 3), 20);
  EXPECT_DOUBLE_EQ(*SpreadSeconds({fast, fast, fast, fast}, 3), 10);
  slow.timed = false;
  EXPECT_FALSE(SpreadSeconds({fast, slow}, 3).has_value());
  EXPECT_FALSE(SpreadSeconds({}, 3).has_value());
}

}  // namespace
}  // namespace steer
