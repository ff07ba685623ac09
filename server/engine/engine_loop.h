// The engine's thread: takes calls in, steps their rows, and ends calls and rows. Any number of
// threads may Enqueue; Run belongs to the one thread that owns torch.
#ifndef STEER_SERVER_ENGINE_ENGINE_LOOP_H_
#define STEER_SERVER_ENGINE_ENGINE_LOOP_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/engine/call.h"
#include "server/engine/canary_call.h"
#include "server/engine/observer.h"
#include "server/engine/row.h"
#include "server/engine/scheduler.h"
#include "server/engine/stepper.h"

namespace steer {

class EngineLoop {
 public:
  // `stepper` and `observer` outlive the loop.
  EngineLoop(Stepper* stepper, SchedulerShape shape, int64_t vocabulary,
             absl::Duration canary_period, EngineObserver* observer,
             std::function<void(const absl::Status&)> on_fatal);

  // Any thread. UNAVAILABLE (STOPPING) once Stop was called.
  absl::Status Enqueue(std::shared_ptr<EngineCall> call);
  // Any thread. Run ends after its step, and every call with UNAVAILABLE (STOPPING).
  void Stop();
  // Any thread. When the loop last came round, or was made.
  absl::Time last_heartbeat() const { return absl::FromUnixNanos(heartbeat_.load()); }
  // Any thread. Prefill and decode steps so far.
  std::pair<int64_t, int64_t> steps() const {
    return {prefill_steps_.load(), decode_steps_.load()};
  }

  // Any thread. The last canary's result; OK before the first.
  absl::Status health() const;
  // Any thread. The longest step so far.
  absl::Duration slowest_step() const { return absl::Nanoseconds(slowest_step_.load()); }

  // Before Run, on its thread: a canary row twice; an error says that the model does not compute.
  absl::Status CheckCanary();
  // Returns after Stop, or after the device failed for good: then every call has ended with
  // UNAVAILABLE (DEVICE_FAILED), health() says so, and `on_fatal` was called. A canary runs whenever there was nothing to do for `canary_period`.
  void Run();

 private:
  void Beat();
  void Iterate();
  void EndForGood();
  bool CanaryIsDue() const;
  void AddCanary();
  void OnCanary(const absl::Status& status);
  bool TakeIncoming();
  void EndCall(std::shared_ptr<EngineCall> call, const absl::Status& status);
  void EndCalls();
  bool RunStep();
  absl::StatusOr<bool> ReadLogits(Row& row, absl::Span<const float> logits);
  void TellCalls(const std::vector<Row*>& rows, absl::Time began);
  void EndRow(Row* row);
  void Drop(const Row& row, RowFinish why);
  void Fail(EngineCall* call, const absl::Status& status) { failures_.emplace(call, status); }

  Stepper* const stepper_;
  const SchedulerShape shape_;
  EngineObserver* const observer_;
  std::atomic<int64_t> heartbeat_{0};
  std::atomic<int64_t> prefill_steps_{0}, decode_steps_{0}, slowest_step_{0};
  const int64_t vocabulary_;
  const absl::Duration canary_period_;
  const std::function<void(const absl::Status&)> on_fatal_;
  mutable absl::Mutex mutex_;
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);  // what new calls get once it stops
  std::deque<std::shared_ptr<EngineCall>> incoming_ ABSL_GUARDED_BY(mutex_);
  // Run's thread only.
  Scheduler scheduler_;
  bool idle_ = true;
  CanaryReference canary_;
  bool canary_runs_ = false;
  absl::Time last_canary_ = absl::Now();
  absl::Time last_work_ = absl::Now();  // a step that was not a canary's alone, or a canary's end
  std::map<EngineCall*, absl::Status> failures_;  // of the last step
  absl::Status fatal_;                            // the device is gone
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_ENGINE_LOOP_H_
