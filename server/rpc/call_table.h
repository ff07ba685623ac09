// The live calls: bounded admission before any work, drain, and an end for calls that overstay.
#ifndef STEER_SERVER_RPC_CALL_TABLE_H_
#define STEER_SERVER_RPC_CALL_TABLE_H_

#include <memory>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace steer {

class Call;
class Metrics;

// Thread-safe.
class CallTable {
 public:
  CallTable(int max_calls, int max_transfers, Metrics* metrics)
      : max_calls_(max_calls), max_transfers_(max_transfers), metrics_(metrics) {}

  // Takes a slot for the call until Remove. UNAVAILABLE (MODEL_LOADING, DRAINING) or
  // RESOURCE_EXHAUSTED (TOO_MANY_CALLS, TOO_MANY_TRANSFERS), each with a retry delay. A transfer
  // holds a whole direction set in memory, so it needs one of fewer slots as well.
  absl::Status Admit(const std::shared_ptr<Call>& call, bool transfer);
  void Remove(const std::shared_ptr<Call>& call);

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
  const int max_calls_;
  const int max_transfers_;
  Metrics* const metrics_;
  absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kLoading;
  std::set<std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<Call>> transfers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_CALL_TABLE_H_
