// Jobs that do not run, or not to their end.
#include <new>

#include <gmock/gmock.h>

#include "common/errors.h"
#include "server/engine/fit_call.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

using testing::HasSubstr;

using EngineRefusal = EngineTest;

GenerateJob Generation(const PreparedPrompt& prompt, int32_t tokens) {
  GenerateJob job;
  job.prompt = prompt;
  job.decode.max_new_tokens = tokens;
  return job;
}

TEST_F(EngineRefusal, AnUnknownSetIsNotFoundAndNothingIsHeld) {
  OpSpec op;
  op.directions = {Ref(1)};
  op.directions[0].set_id = std::string(64, 'a');
  std::vector<DirectionStore::Lease> leases;
  const auto compiled = engine().Compile({{op}}, "intervention", &leases);
  EXPECT_EQ(compiled.status().code(), absl::StatusCode::kNotFound) << compiled.status();
  EXPECT_TRUE(leases.empty());
}

TEST_F(EngineRefusal, AJobBeyondTheLimitsIsNotSubmitted) {
  auto control = std::make_shared<CallControl>();
  const auto refused = [](const absl::Status& status, const char* field) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    ASSERT_FALSE(ViolationsOf(status).empty());
    EXPECT_EQ(ViolationsOf(status)[0].field, field);
  };
  refused(
      engine().Submit(Generation(harmful()[0], 0), control, std::make_shared<GenerateCollector>()),
      "decoding.max_new_tokens");
  EvaluateJob evaluation = MakeEvaluate({harmful()[0]}, {nullptr});
  evaluation.arms.clear();
  refused(engine().Submit(std::move(evaluation), control, std::make_shared<EvaluateCollector>()),
          "arms");
  refused(engine().Submit(MakeFit(0, 1), control, std::make_shared<FitCollector>()), "harmful");
}

TEST_F(EngineRefusal, AFitForWhichTheStoreHasNoRoomIsNotSubmitted) {
  store().set_max_sets(1);
  const absl::Status status = engine().Submit(MakeFit(20, 3), std::make_shared<CallControl>(),
                                              std::make_shared<FitCollector>());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(engine().Cost(MakeFit(0, kFit)).ok());  // the one that it has
  store().set_max_sets(1000);
}

// No ops are no edit: no reference rows run for it, and its rows are the baseline's.
TEST_F(EngineRefusal, AnInterventionWithoutOpsIsTheBaseline) {
  const auto sink = Run(MakeEvaluate(HeldOut(harmful(), 3),
                                     {nullptr, std::make_shared<const CompiledIntervention>()}));
  ASSERT_TRUE(sink->result.ok());
  EXPECT_EQ(sink->result->rows, 6);
  EXPECT_EQ(sink->result->edits, 0);
  for (int prompt = 0; prompt < 3; ++prompt) {
    EXPECT_EQ(sink->Of(0, prompt).token_digest, sink->Of(1, prompt).token_digest);
    EXPECT_EQ(sink->Of(0, prompt).refusal_log_odds, sink->Of(1, prompt).refusal_log_odds);
    EXPECT_EQ(sink->Of(1, prompt).kl, 0);
  }
}

// An edit of generated tokens has none where one token is all: it was never fed.
TEST_F(EngineRefusal, AnEditThatMeetsNoTokenIsCountedAsNone) {
  OpSpec op;
  op.directions = {Ref(1)};
  op.scope = TokenScope::kGenerated;
  GenerateJob job = Generation(harmful()[0], 1);
  job.intervention = Compile({{op}});
  auto sink = std::make_shared<GenerateCollector>();
  ASSERT_TRUE(engine().Submit(std::move(job), std::make_shared<CallControl>(), sink).ok());
  sink->done.WaitForNotification();
  ASSERT_TRUE(sink->result.ok()) << sink->result.status();
  EXPECT_EQ(sink->result->receipt.edits, 0);
  EXPECT_EQ(sink->result->receipt.expected_edits, 0);
  EXPECT_EQ(sink->result->receipt.dose_sum, 0);
}

TEST_F(EngineRefusal, RefusalIdsThatAreNoneFailTheCall) {
  EvaluateJob job = MakeEvaluate(HeldOut(harmful(), 2), {nullptr});
  job.refusal_token_ids = {5, 5};
  auto sink = std::make_shared<EvaluateCollector>();
  ASSERT_TRUE(engine().Submit(std::move(job), std::make_shared<CallControl>(), sink).ok());
  sink->done.WaitForNotification();
  EXPECT_THAT(std::string(sink->result.status().message()),
              HasSubstr("refusal ids are not strictly ascending at 5"));
  EXPECT_TRUE(sink->outcomes.empty());
}

// Contract 9: states that were not captured make a fit fail.
TEST_F(EngineRefusal, AFitWithoutAllItsStatesFails) {
  EngineObserver observer;
  FitCall call(MakeFit(20, 3), std::make_shared<CallControl>(), std::make_shared<FitCollector>(),
               engine().facts(), &store(), &observer);
  const std::unique_ptr<Row> row = call.NextRow();
  ASSERT_NE(row, nullptr);
  row->captures = 2 * engine().facts().layers;  // all sites but one
  const absl::Status status = call.OnRowDone(*row);
  EXPECT_EQ(ReasonOf(status), "CAPTURE_COUNT_MISMATCH");
  EXPECT_THAT(std::string(status.message()), HasSubstr("nothing of the fit is valid"));
}

struct ThrowingSink : GenerateCollector {
  void OnText(std::string) override { throw std::bad_alloc(); }
};

// What a sink throws has left its row half read.
TEST_F(EngineRefusal, AThrowingReaderFailsItsCallAndTheNextOneRuns) {
  auto throwing = std::make_shared<ThrowingSink>();
  ASSERT_TRUE(
      engine().Submit(Generation(harmful()[0], 8), std::make_shared<CallControl>(), throwing).ok());
  throwing->done.WaitForNotification();
  EXPECT_EQ(ReasonOf(throwing->result.status()), "OUT_OF_MEMORY");
  auto next = std::make_shared<GenerateCollector>();
  ASSERT_TRUE(
      engine().Submit(Generation(harmful()[0], 8), std::make_shared<CallControl>(), next).ok());
  next->done.WaitForNotification();
  EXPECT_TRUE(next->result.ok()) << next->result.status();
}

}  // namespace
}  // namespace steer
