// A Generate beside a long Fit and a long Evaluate, in steps of the real engine.
#include <atomic>

#include "absl/time/clock.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

class EngineLanes : public EngineTest {
 protected:
  static int64_t Steps() {
    const auto [prefill, decode] = engine().prefill_and_decode_steps();
    return prefill + decode;
  }
  // On the engine thread, at the end.
  struct StepsAtEnd : GenerateCollector {
    void OnDone(absl::StatusOr<GenerateResult> r) override {
      steps = Steps();
      GenerateCollector::OnDone(std::move(r));
    }
    int64_t steps = 0;
  };
};

TEST_F(EngineLanes, AGenerateHasItsFirstTokenAfterAFewSteps) {
  auto fit_control = std::make_shared<CallControl>(), evaluate_control = fit_control;
  auto fit = std::make_shared<FitCollector>();
  FitJob fit_job = MakeFit(0, kFit);
  fit_job.keep_states = false;  // not the set that is stored already
  ASSERT_TRUE(engine().Submit(std::move(fit_job), fit_control, fit).ok());
  auto evaluate = std::make_shared<EvaluateCollector>();
  EvaluateJob evaluate_job = MakeEvaluate(HeldOut(harmful(), 30), {nullptr, Ablate(1), Add(1)});
  evaluate_job.decode_full_window = true;
  ASSERT_TRUE(engine().Submit(std::move(evaluate_job), evaluate_control, evaluate).ok());
  const int64_t start = Steps();
  while (Steps() < start + 10) absl::SleepFor(absl::Milliseconds(1));

  GenerateJob job;
  job.prompt = HeldOut(harmless(), 1)[0];
  job.decode.max_new_tokens = 1;
  const auto tokens = static_cast<int64_t>(job.prompt.ids.size());
  auto generate = std::make_shared<StepsAtEnd>();
  const int64_t before = Steps();
  ASSERT_TRUE(engine().Submit(std::move(job), std::make_shared<CallControl>(), generate).ok());
  // The step in progress, and one that may begin between the count and the submission.
  const int64_t slack = Steps() - before + 2;
  generate->done.WaitForNotification();
  const bool busy = !fit->done.HasBeenNotified() || !evaluate->done.HasBeenNotified();
  ASSERT_TRUE(generate->result.ok()) << generate->result.status();
  EXPECT_TRUE(busy) << "nothing ran beside it";
  const int64_t pieces =
      (tokens + engine().options().prefill_tokens - 1) / engine().options().prefill_tokens;
  EXPECT_LE(generate->steps - before, 3 * pieces + 4 + slack);
  fit_control->cancelled = true;
  fit->done.WaitForNotification();
  evaluate->done.WaitForNotification();
}

}  // namespace
}  // namespace steer
