// The steps that all RPCs share: admission, size, deadline, cancellation, metrics, audit, status.
#ifndef STEER_SERVER_RPC_CALL_H_
#define STEER_SERVER_RPC_CALL_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "server/engine/job.h"
#include "server/rpc/service_state.h"
#include "server/telemetry/audit_log.h"

namespace steer {

// One RPC, whatever its shape. Thread-safe, but for audit().
//
// Life: Start; work, which looks at Check; Complete, once, whose result goes to the reactor's
// Finish; Detach from OnDone. Cancellation never finishes anything by itself: it marks the call,
// and whoever owns the work (an edge task, or the engine through the sink) notices and completes
// it.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(ServiceState* state, absl::string_view method, grpc::CallbackServerContext* context);

  // Counts the call, refuses a caller who may not make it, and admits it. On error the caller completes the call with it.
  absl::Status Start(size_t request_bytes, bool transfer = false);
  // Before a job is submitted: room for its tokens, and time for the least that it needs
  // (DEADLINE_EXCEEDED, reason DEADLINE_TOO_SHORT).
  absl::Status AdmitWork(const JobCost& cost);

  ServiceState& state() const { return *state_; }
  // Requires Start() == OK.
  Engine& engine() const { return *state_->engine.load(std::memory_order_acquire); }
  const std::shared_ptr<CallControl>& control() const { return control_; }
  // Written by the one thread that does the call's work at a time.
  AuditRecord& audit() { return audit_; }

  // The first cause wins over what the cancelled work says of itself.
  void Cancel(const absl::Status& cause);
  // For OnCancel: the client left, or its deadline has passed.
  void ClientGone();
  bool cancelled() const { return control_->cancelled.load(std::memory_order_relaxed); }
  // The cause if cancelled, DEADLINE_EXCEEDED if late, otherwise OK. Long edge work asks between
  // prompts.
  absl::Status Check();
  // For the table's watch, see CallTable::Expire.
  void ExpireAt(absl::Time now);

  // The call was answered with what another under its request id had computed.
  void CountReplay();

  // Frees the slot, counts, audits, and converts.
  grpc::Status Complete(absl::Status status);
  // The context is about to go.
  void Detach();

 private:
  absl::Status DeadlineError() const;
  ServiceState* const state_;
  const std::string method_;
  const absl::Time arrival_;
  const std::shared_ptr<CallControl> control_ = std::make_shared<CallControl>();
  AuditRecord audit_;
  absl::Status authorised_;  // what the caller's credentials are worth
  absl::Mutex mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
  absl::Status cause_ ABSL_GUARDED_BY(mutex_);
  absl::Time cancelled_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_CALL_H_
