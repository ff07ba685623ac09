// The engine's thread: takes calls in, steps their rows, and ends calls and rows. Any number of
// threads may Enqueue; Run belongs to the one thread that owns torch.
#ifndef STEER_SERVER_ENGINE_ENGINE_LOOP_H_
#define STEER_SERVER_ENGINE_ENGINE_LOOP_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/engine/call.h"
#include "server/engine/observer.h"
#include "server/engine/row.h"
#include "server/engine/scheduler.h"
#include "server/engine/stepper.h"

namespace steer {

class EngineLoop {
 public:
  // `stepper` and `observer` outlive the loop.
  EngineLoop(Stepper* stepper, SchedulerShape shape, EngineObserver* observer);

  // Any thread. UNAVAILABLE (STOPPING) once Stop was called.
  absl::Status Enqueue(std::shared_ptr<Call> call);
  // Any thread. Run ends after its step, and every call with UNAVAILABLE (STOPPING).
  void Stop();
  // Any thread. When the loop last came round, or was made.
  absl::Time last_heartbeat() const { return absl::FromUnixNanos(heartbeat_.load()); }
  // Any thread. Prefill and decode steps so far.
  std::pair<int64_t, int64_t> steps() const {
    return {prefill_steps_.load(), decode_steps_.load()};
  }

  // Returns after Stop.
  void Run();

 private:
  void Beat();
  bool TakeIncoming();
  void EndCall(std::shared_ptr<Call> call, const absl::Status& status);
  void EndCalls();
  bool RunStep();
  absl::StatusOr<bool> ReadLogits(Row& row, absl::Span<const float> logits);
  void TellCalls(const std::vector<Row*>& rows);
  void EndRow(Row* row);
  void Fail(Call* call, const absl::Status& status) { failures_.emplace(call, status); }

  Stepper* const stepper_;
  const SchedulerShape shape_;
  EngineObserver* const observer_;
  std::atomic<int64_t> heartbeat_{0};
  std::atomic<int64_t> prefill_steps_{0}, decode_steps_{0};
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Call>> incoming_ ABSL_GUARDED_BY(mutex_);
  // Run's thread only.
  Scheduler scheduler_;
  bool idle_ = true;
  std::map<Call*, absl::Status> failures_;  // of the last step
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_ENGINE_LOOP_H_
