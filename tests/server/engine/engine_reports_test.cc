// What the engine tells telemetry, against what it tells the caller.
#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>

#include "absl/synchronization/mutex.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr InterventionClass kPlain = {};
constexpr InterventionClass kAblateFitted = {ArmKind::kAblate, DirectionKind::kFitted};
constexpr InterventionClass kAblateControl = {ArmKind::kAblate, DirectionKind::kControl};
constexpr InterventionClass kAddFitted = {ArmKind::kAdd, DirectionKind::kFitted};

// What comes before a sink's OnDone may be read after it; the loads come when they like.
struct Recorder : EngineObserver {
  void OnStep(const StepReport& step) override { steps.push_back(step); }
  void OnRow(const RowReport& row) override { rows.push_back(row); }
  void OnRowDropped(RowKind, RowFinish why) override { dropped.push_back(why); }
  void OnOutcome(const OutcomeReport& outcome) override { outcomes.push_back(outcome); }
  void OnQueueWait(RowKind kind, absl::Duration) override { waits.push_back(kind); }
  void OnFirstToken(const InterventionClass& type, absl::Duration after) override {
    first_tokens.emplace_back(type, after);
  }
  void OnToken(const InterventionClass& type, absl::Duration) override { tokens.push_back(type); }
  void OnFit(FitOutcome outcome) override { fits.push_back(outcome); }
  void OnFitPhase(FitPhase phase, absl::Duration took) override { phases[phase] += took; }
  void OnLoad(int64_t rows_waiting, int64_t, int64_t) override {
    absl::MutexLock lock(&mutex);
    most_waiting = std::max(most_waiting, rows_waiting);
    waiting = rows_waiting;
  }

  int64_t Rows(const InterventionClass& type) const {
    return std::count_if(rows.begin(), rows.end(),
                         [&](const RowReport& row) { return row.intervention == type; });
  }
  template <typename Member>
  double Sum(Member member) const {
    return std::accumulate(rows.begin(), rows.end(), 0.0, [&](double sum, const RowReport& row) {
      return sum + static_cast<double>(row.*member);
    });
  }

  std::vector<StepReport> steps;
  std::vector<RowReport> rows;
  std::vector<RowFinish> dropped;
  std::vector<OutcomeReport> outcomes;
  std::vector<RowKind> waits;
  std::vector<std::pair<InterventionClass, absl::Duration>> first_tokens;
  std::vector<InterventionClass> tokens;
  std::vector<FitOutcome> fits;
  std::map<FitPhase, absl::Duration> phases;
  absl::Mutex mutex;
  int64_t most_waiting ABSL_GUARDED_BY(mutex) = 0;
  int64_t waiting ABSL_GUARDED_BY(mutex) = -1;
};

class EngineReports : public EngineTest {
 protected:
  void SetUp() override {
    EngineOptions options = engine().options();
    options.canary_period = absl::Hours(1);
    auto made = Engine::Create(options, &store(), &seen_);
    ASSERT_TRUE(made.ok()) << made.status();
    engine_ = *std::move(made);
  }
  template <typename Sink, typename Job>
  std::shared_ptr<Sink> Submit(Job job, std::shared_ptr<CallControl> control = nullptr) {
    auto sink = std::make_shared<Sink>();
    if (control == nullptr) control = std::make_shared<CallControl>();
    EXPECT_TRUE(engine_->Submit(std::move(job), std::move(control), sink).ok());
    return sink;
  }
  Recorder seen_;
  std::unique_ptr<Engine> engine_;  // after what it tells
};

TEST_F(EngineReports, AnEvaluationsRowsAddUpToItsReceipt) {
  constexpr int kPrompts = 12;
  EvaluateJob job =
      MakeEvaluate(HeldOut(harmful(), kPrompts), {nullptr, Ablate(1), Ablate(1, 0), Add(1)});
  job.scores = true;
  auto sink = Submit<EvaluateCollector>(std::move(job));
  sink->done.WaitForNotification();
  ASSERT_TRUE(sink->result.ok()) << sink->result.status();
  const ReceiptCounts& receipt = *sink->result;

  EXPECT_EQ(static_cast<int64_t>(seen_.rows.size()), receipt.rows);
  EXPECT_EQ(seen_.Rows(kPlain), 2 * kPrompts);  // the baseline arm and the references
  EXPECT_EQ(seen_.Rows(kAblateFitted), kPrompts);
  EXPECT_EQ(seen_.Rows(kAblateControl), kPrompts);
  EXPECT_EQ(seen_.Rows(kAddFitted), kPrompts);
  EXPECT_EQ(seen_.Sum(&RowReport::edits), receipt.edits);
  EXPECT_EQ(seen_.Sum(&RowReport::generated_tokens), receipt.generated_tokens);
  double dose = 0;
  for (const RowReport& row : seen_.rows) {
    dose += row.dose * static_cast<double>(row.edits);
    const bool ablates = row.intervention.arm == ArmKind::kAblate;
    EXPECT_EQ(row.residual.has_value(), ablates);
    EXPECT_LE(row.residual.value_or(0), 1e-5);
    EXPECT_EQ(row.sites > 0, row.edits > 0);
    EXPECT_GT(row.prefill, absl::ZeroDuration());
    EXPECT_EQ(row.decode.has_value(), row.generated_tokens > 1);
    EXPECT_EQ(row.finish == RowFinish::kPromptEnd, row.kind == RowKind::kReference);
  }
  EXPECT_NEAR(dose, receipt.dose_sum, 1e-9 * receipt.dose_sum);

  EXPECT_EQ(seen_.outcomes.size(), sink->outcomes.size());
  for (const OutcomeReport& outcome : seen_.outcomes) {
    EXPECT_EQ(outcome.kl.has_value(), !(outcome.intervention == kPlain));
  }
  const auto refused = [](const auto& list) {
    return std::count_if(list.begin(), list.end(), [](const auto& o) { return o.refused; });
  };
  EXPECT_EQ(refused(seen_.outcomes), refused(sink->outcomes));

  // Every token but a row's first has a gap before it.
  EXPECT_EQ(static_cast<int64_t>(seen_.tokens.size()),
            receipt.generated_tokens - static_cast<int64_t>(sink->outcomes.size()));
  EXPECT_THAT(seen_.waits, ElementsAre(RowKind::kReference));
  EXPECT_THAT(seen_.first_tokens, IsEmpty());  // of Generate alone
  EXPECT_THAT(seen_.dropped, IsEmpty());
  EXPECT_EQ(static_cast<int64_t>(seen_.steps.size()), receipt.steps);
  int64_t most = 0, taken = 0;
  for (const StepReport& step : seen_.steps) {
    most = std::max(most, step.interventions);
    EXPECT_LE(step.interventions, step.rows);
    if (step.kind == StepKind::kDecode) taken += step.rows;
  }
  EXPECT_EQ(most, 3);
  EXPECT_EQ(taken, static_cast<int64_t>(seen_.tokens.size()));
}

TEST_F(EngineReports, AGeneration) {
  GenerateJob job;
  job.prompt = HeldOut(harmful(), 1)[0];
  job.intervention = Add(1);
  job.decode.max_new_tokens = 3;
  auto control = std::make_shared<CallControl>();
  control->arrival = absl::Now() - absl::Seconds(100);
  auto sink = Submit<GenerateCollector>(std::move(job), control);
  sink->done.WaitForNotification();
  ASSERT_TRUE(sink->result.ok()) << sink->result.status();
  ASSERT_EQ(seen_.first_tokens.size(), 1);
  EXPECT_EQ(seen_.first_tokens[0].first, kAddFitted);
  EXPECT_GT(seen_.first_tokens[0].second, absl::Seconds(100));
  ASSERT_EQ(seen_.rows.size(), 1);
  EXPECT_EQ(seen_.rows[0].generated_tokens, sink->result->generated_tokens);
  EXPECT_EQ(seen_.rows[0].finish, sink->result->finish == FinishReason::kLength
                                      ? RowFinish::kLength
                                      : RowFinish::kEndOfTurn);
  EXPECT_EQ(static_cast<int64_t>(seen_.tokens.size()), sink->result->generated_tokens - 1);
  EXPECT_THAT(seen_.tokens, Each(kAddFitted));
}

TEST_F(EngineReports, RowsThatEndWithTheirCall) {
  EvaluateJob job =
      MakeEvaluate(HeldOut(harmful(), 64), {Ablate(1), Ablate(1, 0), Ablate(1, 1), Ablate(1, 2)});
  job.scores = false;
  const int64_t rows = 4 * 64;
  auto control = std::make_shared<CallControl>();
  auto sink = Submit<EvaluateCollector>(std::move(job), control);
  sink->first.WaitForNotification();
  control->cancelled = true;
  sink->done.WaitForNotification();
  EXPECT_EQ(sink->result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(seen_.dropped.empty());
  EXPECT_THAT(seen_.dropped, Each(RowFinish::kCancelled));
  EXPECT_EQ(seen_.rows.size(), sink->outcomes.size());
  EXPECT_LT(static_cast<int64_t>(seen_.rows.size() + seen_.dropped.size()), rows);
  absl::MutexLock lock(&seen_.mutex);
  EXPECT_GT(seen_.most_waiting, 0);
  EXPECT_LE(seen_.most_waiting, rows);
  const auto none = [this]()
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(seen_.mutex) { return seen_.waiting == 0; };
  seen_.mutex.Await(absl::Condition(&none));
}

TEST_F(EngineReports, Fits) {
  auto fitted = Submit<FitCollector>(MakeFit(5, 7));
  fitted->done.WaitForNotification();
  ASSERT_TRUE(fitted->result.ok()) << fitted->result.status();
  EXPECT_FALSE(fitted->result->cached);
  EXPECT_THAT(seen_.fits, ElementsAre(FitOutcome::kFitted));
  EXPECT_EQ(seen_.phases.size(), 4);
  EXPECT_GT(seen_.phases[FitPhase::kAccumulate], absl::ZeroDuration());
  EXPECT_GE(seen_.phases[FitPhase::kForward], seen_.phases[FitPhase::kAccumulate]);
  EXPECT_GT(seen_.phases[FitPhase::kStore], absl::ZeroDuration());
  EXPECT_EQ(seen_.rows.size(), 14);

  auto cached = Submit<FitCollector>(MakeFit(5, 7));
  cached->done.WaitForNotification();
  ASSERT_TRUE(cached->result.ok());
  EXPECT_TRUE(cached->result->cached);
  EXPECT_THAT(seen_.fits, ElementsAre(FitOutcome::kFitted, FitOutcome::kCached));
  EXPECT_EQ(seen_.rows.size(), 14);

  auto control = std::make_shared<CallControl>();
  control->cancelled = true;
  auto cancelled = Submit<FitCollector>(MakeFit(9, 7), control);
  cancelled->done.WaitForNotification();
  EXPECT_EQ(seen_.fits.back(), FitOutcome::kFailed);
}

}  // namespace
}  // namespace steer
