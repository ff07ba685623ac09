// The live calls: bounded admission before any work, drain, and an end for calls that overstay.
#ifndef STEER_SERVER_RPC_CALL_TABLE_H_
#define STEER_SERVER_RPC_CALL_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace steer {

class Call;
class Metrics;

// Calls of one lane may not take every slot: a burst of long ones leaves room for others.
enum class Lane { kFit, kEvaluate, kOther };
inline constexpr int kLanes = 3;

struct AdmissionLimits {
  int calls = 64;
  int transfers = 2;
  // Fit, Evaluate and Generate calls whose first step has not run.
  int queue_calls = 64;
  // Prompt tokens and tokens that may be generated, and bytes of requests, over the calls admitted.
  int64_t queue_tokens = int64_t{1} << 28;
  int64_t queue_bytes = int64_t{256} << 20;
  // Slots that one lane may take.
  int LaneCalls(Lane lane) const;
};

// What admitted calls hold now.
struct QueueLoad {
  int waiting[kLanes] = {};  // calls whose first step has not run, by lane; kOther: Generate
  int64_t tokens = 0;
  int64_t bytes = 0;
};

struct Admission {
  Lane lane = Lane::kOther;
  bool transfer = false;  // holds a whole direction set in memory, so it needs one of fewer slots
  bool steps = false;     // needs the engine's steps
  int64_t bytes = 0;      // of the request
};

// Thread-safe.
class CallTable {
 public:
  CallTable(AdmissionLimits limits, Metrics* metrics) : limits_(limits), metrics_(metrics) {}

  // Takes a slot for the call until Remove, before any work. UNAVAILABLE (MODEL_LOADING, DRAINING)
  // or RESOURCE_EXHAUSTED (TOO_MANY_CALLS, LANE_FULL, TOO_MANY_TRANSFERS, QUEUE_BYTES), each with a
  // retry delay.
  absl::Status Admit(const std::shared_ptr<Call>& call, const Admission& admission);
  // Once the prompts are tokenised. RESOURCE_EXHAUSTED (QUEUE_TOKENS) with a retry delay. A call
  // that is larger than the limit is admitted where no other holds tokens.
  absl::Status AdmitTokens(const std::shared_ptr<Call>& call, int64_t tokens);
  void Remove(const std::shared_ptr<Call>& call);
  QueueLoad load();

  // Until then every call is refused with MODEL_LOADING.
  void Open();
  // From now on every call is refused with DRAINING.
  void BeginDrain();
  // True if no call was left before `limit` had passed.
  bool AwaitEmpty(absl::Duration limit);
  void CancelAll(const absl::Status& cause);
  // Cancels calls past their deadline and tears the connection of those that were cancelled long
  // ago and have not ended, because the peer neither reads nor leaves.
  void Expire(absl::Time now);

 private:
  std::vector<std::shared_ptr<Call>> Snapshot();
  enum class State { kLoading, kOpen, kDraining };
  struct Held {
    Admission admission;
    int64_t tokens = 0;
  };
  QueueLoad LoadLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoom(const Admission& admission) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const AdmissionLimits limits_;
  Metrics* const metrics_;
  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kLoading;
  std::map<std::shared_ptr<Call>, Held> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_CALL_TABLE_H_
