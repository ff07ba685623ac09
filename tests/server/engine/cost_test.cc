// What a job may ask for, and what it is said to need.
#include "server/engine/cost.h"

#include <gmock/gmock.h>

#include "common/errors.h"

namespace steer {
namespace {

constexpr int64_t kKvBytes = 100;

EngineOptions Options() {
  EngineOptions options;
  options.max_new_tokens = 16;
  options.max_context_tokens = 20;
  options.max_prompts = 4;
  options.max_arms = 2;
  options.max_rows = 6;
  options.decode_rows = 2;
  return options;
}

ModelFacts Facts() {
  ModelFacts facts;
  facts.layers = 2;
  facts.hidden = 8;
  facts.vocabulary = 50;
  facts.prefill_tokens_per_second = 100;
  facts.decode_steps_per_second = 10;
  return facts;
}

std::vector<PreparedPrompt> Prompts(int count, int tokens) {
  return std::vector<PreparedPrompt>(count, {std::vector<int32_t>(tokens, 1), "hash"});
}

FitJob Fit() {
  FitJob job;
  job.harmful = job.harmless = Prompts(2, 5);
  return job;
}

GenerateJob Generate() {
  GenerateJob job;
  job.prompt = Prompts(1, 5)[0];
  job.decode.max_new_tokens = 4;
  return job;
}

EvaluateJob Evaluate() {
  EvaluateJob job;
  job.prompts = Prompts(2, 5);
  job.arms = {{"baseline", nullptr, {0, 1}}};
  job.decode.max_new_tokens = 4;
  return job;
}

// "field: description" of each violation, or the cost's failure to be refused.
template <typename Job>
std::vector<std::string> Refused(const Job& job, const EngineOptions& options = Options(),
                                 const ModelFacts& facts = Facts()) {
  const auto cost = CostOf(job, options, facts, kKvBytes);
  std::vector<std::string> said;
  for (const Violation& v : ViolationsOf(cost.status())) {
    said.push_back(v.field + ": " + v.description);
  }
  return said;
}

template <typename Job, typename Change>
std::vector<std::string> Refused(Job job, Change change) {
  change(job);
  return Refused(job);
}

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Cost, OfAFitIsItsPromptsAndTheirStates) {
  const auto cost = CostOf(Fit(), Options(), Facts(), kKvBytes);
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_EQ(cost->rows, 4);
  EXPECT_EQ(cost->prompt_tokens, 20);
  EXPECT_EQ(cost->max_generated_tokens, 0);
  EXPECT_EQ(cost->kv_bytes, 20 * kKvBytes);
  EXPECT_EQ(cost->host_bytes, 4 * 1 * 5 * 8 * 4);  // rows, positions, sites, width, float32
  EXPECT_DOUBLE_EQ(cost->estimated_seconds, 0.2);
  EXPECT_DOUBLE_EQ(cost->least_seconds, 0.1);
}

TEST(Cost, CountsDecodingOnlyWhereEveryRowDecodesItsWholeWindow) {
  EvaluateJob job = Evaluate();
  const auto early = CostOf(job, Options(), Facts(), kKvBytes);
  job.decode_full_window = true;
  const auto whole = CostOf(job, Options(), Facts(), kKvBytes);
  ASSERT_TRUE(early.ok() && whole.ok());
  EXPECT_EQ(early->max_generated_tokens, 8);
  EXPECT_EQ(early->kv_bytes, 2 * (5 + 3) * kKvBytes);
  // 10 tokens of prompts at 100 a second, 8 new ones by two rows a step at 10 steps a second.
  EXPECT_DOUBLE_EQ(early->estimated_seconds, 0.1 + 0.4);
  EXPECT_DOUBLE_EQ(early->least_seconds, 0.05);
  EXPECT_DOUBLE_EQ(whole->least_seconds, 0.25);
}

TEST(Cost, EstimatesNoTimeWithoutBothRates) {
  for (double ModelFacts::*rate :
       {&ModelFacts::prefill_tokens_per_second, &ModelFacts::decode_steps_per_second}) {
    ModelFacts facts = Facts();
    facts.*rate = 0;
    const auto cost = CostOf(Generate(), Options(), facts, kKvBytes);
    ASSERT_TRUE(cost.ok()) << cost.status();
    EXPECT_EQ(cost->estimated_seconds, 0);
    EXPECT_EQ(cost->least_seconds, 0);
  }
}

TEST(Cost, RefusesAFitThatCannotRun) {
  EXPECT_THAT(Refused(Fit(), [](FitJob& job) { job.harmful.pop_back(); }),
              ElementsAre("harmful: has 1 prompts; 2 to 4 are allowed"));
  EXPECT_THAT(Refused(Fit(), [](FitJob& job) { job.harmless = Prompts(5, 5); }),
              ElementsAre("harmless: has 5 prompts; 2 to 4 are allowed"));
  EXPECT_THAT(Refused(Fit(), [](FitJob& job) { job.harmless[1].ids.resize(21); }),
              ElementsAre("harmless[1]: needs 21 prompt tokens and 0 more; a row may have 20"));
  EXPECT_THAT(Refused(Fit(), [](FitJob& job) { job.positions.clear(); }),
              ElementsAre("positions: is empty"));
  EXPECT_THAT(Refused(Fit(), [](FitJob& job) { job.positions = {0}; }),
              ElementsAre("positions[0]: is 0; positions count from the end, -1 = last"));
  EXPECT_THAT(Refused(Fit(),
                      [](FitJob& job) {
                        job.positions = {-2, -2};
                      }),
              ElementsAre("positions[1]: must be below the one before it"));
  EXPECT_THAT(Refused(Fit(),
                      [](FitJob& job) {
                        job.positions = {-1, -6};
                        job.harmful[0].ids.resize(6);
                      }),
              ElementsAre("harmful[1]: has 5 tokens; position -6 does not exist",
                          "harmless[0]: has 5 tokens; position -6 does not exist",
                          "harmless[1]: has 5 tokens; position -6 does not exist"));
}

TEST(Cost, RefusesStatesBeyondTheirLimitUnlessTheyAreDropped) {
  EngineOptions options = Options();
  options.max_state_bytes = 4 * 2 * 8 * 4 - 1;
  FitJob job = Fit();
  EXPECT_THAT(Refused(job, options),
              ElementsAre(HasSubstr("drop_states: the states of this set would take 256 bytes, "
                                    "more than the limit of 255")));
  job.keep_states = false;
  EXPECT_THAT(Refused(job, options), IsEmpty());
  ++options.max_state_bytes;
  job.keep_states = true;
  EXPECT_THAT(Refused(job, options), IsEmpty());
}

TEST(Cost, RefusesWhatDoesNotFitInHostMemory) {
  FitJob job = Fit();
  job.keep_states = false;
  ModelFacts facts = Facts();
  facts.hidden = kMaxHostBytes / (4 * 5 * 4);
  EXPECT_THAT(Refused(job, Options(), facts), IsEmpty());
  ++facts.hidden;
  EXPECT_THAT(Refused(job, Options(), facts),
              ElementsAre(testing::AllOf(HasSubstr(": needs 4294967360 bytes of host memory"),
                                         HasSubstr("4294967296: split it"))));
}

TEST(Cost, RefusesAGenerationThatCannotRun) {
  for (int32_t tokens : {0, 17}) {
    const auto said =
        Refused(Generate(), [&](GenerateJob& job) { job.decode.max_new_tokens = tokens; });
    ASSERT_FALSE(said.empty());
    EXPECT_THAT(said[0], HasSubstr(absl::StrCat("decoding.max_new_tokens: is ", tokens,
                                                "; 1 to 16 are allowed")));
  }
  EXPECT_THAT(Refused(Generate(), [](GenerateJob& job) { job.prompt.ids.resize(17); }),
              ElementsAre("prompt: needs 17 prompt tokens and 4 more; a row may have 20"));
}

TEST(Cost, RefusesAnEvaluationThatCannotRun) {
  EXPECT_THAT(Refused(Evaluate(),
                      [](EvaluateJob& job) {
                        job.prompts.clear();
                        job.arms[0].prompts.clear();
                      }),
              ElementsAre("prompts: has 0 prompts; 1 to 4 are allowed"));
  EXPECT_THAT(Refused(Evaluate(), [](EvaluateJob& job) { job.prompts = Prompts(5, 5); }),
              ElementsAre("prompts: has 5 prompts; 1 to 4 are allowed"));
  EXPECT_THAT(Refused(Evaluate(), [](EvaluateJob& job) { job.arms.clear(); }),
              ElementsAre("arms: has 0 arms; 1 to 2 are allowed"));
  EXPECT_THAT(Refused(Evaluate(), [](EvaluateJob& job) { job.arms.resize(3); }),
              ElementsAre("arms: has 3 arms; 1 to 2 are allowed"));
  EXPECT_THAT(
      Refused(Evaluate(), [](EvaluateJob& job) { job.arms[0].prompts = {0, 1, 0, 1, 0, 1, 0}; }),
      ElementsAre("arms: make 7 rows; a call may have 6"));
  EXPECT_THAT(Refused(Evaluate(), [](EvaluateJob& job) { job.prompts[1].ids.resize(17); }),
              ElementsAre("prompts[1]: needs 17 prompt tokens and 4 more; a row may have 20"));
}

}  // namespace
}  // namespace steer
