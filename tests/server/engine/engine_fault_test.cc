// Memory that runs short in a step, and the engine's own row.
#include <atomic>
#include <new>
#include <stdexcept>

#include <gmock/gmock.h>

#include "common/errors.h"
#include "server/engine/canary_call.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

struct CountingObserver : EngineObserver {
  void OnOutOfMemory() override { ++short_of_memory; }
  void OnHalved() override { ++halved; }
  void OnCanary(bool ok) override { ++(ok ? canaries : wrong_canaries); }
  void OnRow(const RowReport&) override { ++rows; }
  void OnRowDropped(RowKind, RowFinish why) override {
    ++(why == RowFinish::kStopping ? stopped : dropped);
  }
  std::atomic<int> short_of_memory{0}, halved{0}, canaries{0}, wrong_canaries{0}, rows{0},
      stopped{0}, dropped{0};
};

class EngineFault : public EngineTest {
 protected:
  // An engine of its own over the shared model, in the shared engine's shapes.
  std::unique_ptr<Engine> Make(std::function<void(size_t)> fault) {
    EngineOptions options = engine().options();
    options.step_fault = std::move(fault);
    options.canary_period = absl::Milliseconds(20);
    auto made = Engine::Create(options, &store(), &observer_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }
  static EvaluateJob Job() {
    EvaluateJob job = MakeEvaluate(HeldOut(harmful(), 12), {nullptr, Ablate(1), Ablate(1, 0)});
    job.scores = true;
    return job;
  }
  static std::shared_ptr<EvaluateCollector> RunOn(Engine& engine, EvaluateJob job) {
    auto sink = std::make_shared<EvaluateCollector>();
    EXPECT_TRUE(engine.Submit(std::move(job), std::make_shared<CallControl>(), sink).ok());
    sink->done.WaitForNotification();
    return sink;
  }
  static void ExpectSame(const EvaluateCollector& a, const EvaluateCollector& b) {
    ASSERT_TRUE(b.result.ok()) << b.result.status();
    ASSERT_EQ(a.outcomes.size(), b.outcomes.size());
    for (const RowOutcome& x : a.outcomes) {
      const RowOutcome& y = b.Of(x.arm, x.prompt);
      EXPECT_EQ(x.token_digest, y.token_digest);
      EXPECT_EQ(x.refusal_log_odds, y.refusal_log_odds);  // bits
      EXPECT_EQ(x.kl, y.kl);
      EXPECT_EQ(x.refused, y.refused);
    }
    EXPECT_EQ(a.result->edits, b.result->edits);
    EXPECT_EQ(a.result->tokens, b.result->tokens);
  }
  CountingObserver observer_;
};

TEST_F(EngineFault, ShortMemoryHalvesStepsAndChangesNoBit) {
  const auto clean = Run(Job());
  std::atomic<bool> armed{false};
  std::atomic<int> thrown{0}, passes{0};
  auto faulty = Make([&](size_t rows) {
    // By a fixed rule, often twice in a row, so that retries alone do not do.
    if (!armed || rows < 2) return;
    if (++passes % 5 < 3) {
      ++thrown;
      throw std::bad_alloc();
    }
  });
  ASSERT_NE(faulty, nullptr);
  armed = true;
  for (int i = 0; i < 50 && thrown < 100; ++i) ExpectSame(*clean, *RunOn(*faulty, Job()));
  EXPECT_GE(thrown, 100);
  EXPECT_EQ(observer_.short_of_memory, thrown);
  EXPECT_GT(observer_.halved, 10);
  armed = false;
  ExpectSame(*clean, *RunOn(*faulty, Job()));
}

TEST_F(EngineFault, AFitUnderShortMemoryIsTheSameSet) {
  std::atomic<int> passes{0};
  auto faulty = Make([&](size_t rows) {
    if (rows > 1 && ++passes % 2 == 0) throw std::bad_alloc();
  });
  ASSERT_NE(faulty, nullptr);
  auto before = store().Get(set_id());
  ASSERT_TRUE(before.ok());
  const std::string digest = before->set->content_digest;
  ASSERT_TRUE(store().Delete(set_id()).ok());
  auto sink = std::make_shared<FitCollector>();
  ASSERT_TRUE(faulty->Submit(MakeFit(0, kFit), std::make_shared<CallControl>(), sink).ok());
  sink->done.WaitForNotification();
  ASSERT_TRUE(sink->result.ok()) << sink->result.status();
  EXPECT_EQ(sink->result->stored.set->set_id, set_id());
  EXPECT_EQ(sink->result->stored.set->content_digest, digest);
  EXPECT_GT(observer_.short_of_memory, 0);
}

TEST_F(EngineFault, ARowThatAloneFindsNoMemoryIsRefusedAndTheNextCallRuns) {
  std::atomic<bool> armed{false};
  auto faulty = Make([&](size_t) {
    if (armed) throw std::bad_alloc();
  });
  ASSERT_NE(faulty, nullptr);
  armed = true;
  const auto refused = RunOn(*faulty, Job());
  EXPECT_EQ(refused->result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused->result.status()), "OUT_OF_MEMORY");
  EXPECT_TRUE(RetryDelayOf(refused->result.status()).has_value());
  armed = false;
  ExpectSame(*Run(Job()), *RunOn(*faulty, Job()));
}

TEST_F(EngineFault, TheCanaryRunsAtStartAndWhenIdleAndIsInNoCount) {
  auto own = Make(nullptr);
  ASSERT_NE(own, nullptr);
  EXPECT_GE(observer_.canaries, 2);
  for (int i = 0; i < 1000 && observer_.canaries < 4; ++i) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_GE(observer_.canaries, 4);
  EXPECT_EQ(observer_.wrong_canaries, 0);
  EXPECT_TRUE(own->health().ok());
  EXPECT_EQ(observer_.rows, 0);
  EXPECT_EQ(own->prefill_and_decode_steps(), std::make_pair(int64_t{0}, int64_t{0}));
}

TEST_F(EngineFault, AnUnknownErrorOfAStepFailsItsCallsAndTheNextCallRuns) {
  std::atomic<bool> armed{false};
  auto faulty = Make([&](size_t rows) {
    if (rows > 1 && armed) throw std::runtime_error("odd");
  });
  ASSERT_NE(faulty, nullptr);
  armed = true;
  const auto failed = RunOn(*faulty, Job());
  EXPECT_EQ(ReasonOf(failed->result.status()), "ENGINE_FAILED");
  EXPECT_THAT(std::string(failed->result.status().message()), testing::HasSubstr("odd"));
  EXPECT_GT(observer_.dropped, 0);
  EXPECT_EQ(observer_.short_of_memory, 0);
  armed = false;
  ExpectSame(*Run(Job()), *RunOn(*faulty, Job()));
}

TEST_F(EngineFault, AStoppingEngineEndsItsCallsWithThatReason) {
  auto own = Make([](size_t) { absl::SleepFor(absl::Milliseconds(5)); });
  ASSERT_NE(own, nullptr);
  auto sink = std::make_shared<EvaluateCollector>();
  ASSERT_TRUE(own->Submit(Job(), std::make_shared<CallControl>(), sink).ok());
  sink->first.WaitForNotification();
  own.reset();
  ASSERT_TRUE(sink->done.HasBeenNotified());
  EXPECT_EQ(sink->result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(sink->result.status()), "STOPPING");
  EXPECT_TRUE(RetryDelayOf(sink->result.status()).has_value());
  EXPECT_GT(observer_.stopped, 0);
  EXPECT_EQ(observer_.dropped, 0);
}

// Traffic must not keep a server unready whose check row is right again.
TEST_F(EngineFault, AWrongCheckRowIsRunAgainBesideWork) {
  std::atomic<bool> wrong{false};
  auto own = Make([&](size_t rows) {
    if (wrong && rows == 1) throw std::runtime_error("odd");
    absl::SleepFor(absl::Milliseconds(2));
  });
  ASSERT_NE(own, nullptr);
  wrong = true;
  while (own->health().ok()) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_GE(observer_.wrong_canaries, 1);
  const auto sink = std::make_shared<EvaluateCollector>();
  ASSERT_TRUE(own->Submit(Job(), std::make_shared<CallControl>(), sink).ok());
  wrong = false;
  while (!own->health().ok()) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_FALSE(sink->done.HasBeenNotified());
  sink->done.WaitForNotification();
  EXPECT_TRUE(sink->result.ok()) << sink->result.status();
}

// It is neither right nor wrong.
TEST_F(EngineFault, ACheckRowThatAStopCutsOffIsNotTold) {
  std::atomic<bool> slow{false};
  absl::Notification begun;
  auto own = Make([&](size_t) {
    if (!slow) return;
    if (!begun.HasBeenNotified()) begun.Notify();
    absl::SleepFor(absl::Milliseconds(100));
  });
  ASSERT_NE(own, nullptr);
  slow = true;
  begun.WaitForNotification();  // the first of its two steps
  const int told = observer_.canaries;
  own.reset();
  EXPECT_LE(observer_.canaries, told + 1);
  EXPECT_EQ(observer_.wrong_canaries, 0);
}

TEST(CanaryCall, RefusesWhatIsNotFiniteOrNotTheSame) {
  CanaryReference reference;
  const auto run = [&](std::vector<float> logits, int32_t token) {
    absl::Status ended = absl::UnknownError("not ended");
    CanaryCall call(100, &reference, [&](const absl::Status& status) { ended = status; });
    std::unique_ptr<Row> row = call.NextRow();
    EXPECT_EQ(call.NextRow(), nullptr);
    absl::Status status = call.OnPromptLogits(*row, logits);
    row->generated = {token, token};
    if (status.ok()) status = call.OnRowDone(*row);
    if (!status.ok()) return status;
    EXPECT_TRUE(call.FinishIfComplete());
    return ended;
  };
  EXPECT_EQ(ReasonOf(run({1, std::nanf("")}, 5)), "CANARY_NON_FINITE");
  EXPECT_TRUE(run({1, 2}, 5).ok());
  EXPECT_TRUE(run({1, 2}, 5).ok());
  EXPECT_EQ(ReasonOf(run({1, std::nextafter(2.f, 3.f)}, 5)), "CANARY_MISMATCH");
  EXPECT_EQ(ReasonOf(run({1, 2}, 6)), "CANARY_MISMATCH");
  EXPECT_EQ(ReasonOf(run({1, 2, 3}, 5)), "CANARY_MISMATCH");
  EXPECT_TRUE(run({1, 2}, 5).ok());
}

}  // namespace
}  // namespace steer
