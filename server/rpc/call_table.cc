#include "server/rpc/call_table.h"

#include "common/errors.h"
#include "server/rpc/call.h"
#include "server/telemetry/metrics.h"

namespace steer {
namespace {

absl::Status Refusal(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                     absl::Duration retry) {
  return WithRetryDelay(MakeError(code, reason, message), retry);
}

}  // namespace

absl::Status CallTable::Admit(const std::shared_ptr<Call>& call, bool transfer) {
  absl::MutexLock lock(&mutex_);
  if (state_ == State::kLoading) {
    metrics_->Rejected(Rejection::kLoading);
    return Refusal(absl::StatusCode::kUnavailable, "MODEL_LOADING",
                   "the model is loading; wait until the health service says SERVING",
                   absl::Seconds(2));
  }
  if (state_ == State::kDraining) {
    metrics_->Rejected(Rejection::kDraining);
    return Refusal(absl::StatusCode::kUnavailable, "DRAINING",
                   "the server is shutting down and takes no new calls", absl::Seconds(5));
  }
  if (static_cast<int>(calls_.size()) >= max_calls_) {
    metrics_->Rejected(Rejection::kCallsFull);
    return Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_CALLS",
                   absl::StrCat("all ", max_calls_, " call slots are taken; try again later"),
                   absl::Seconds(1));
  }
  if (transfer && static_cast<int>(transfers_.size()) >= max_transfers_) {
    metrics_->Rejected(Rejection::kTransfersFull);
    return Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_TRANSFERS",
                   absl::StrCat("all ", max_transfers_, " slots for export and import are taken"),
                   absl::Seconds(1));
  }
  calls_.insert(call);
  if (transfer) transfers_.insert(call);
  return absl::OkStatus();
}

void CallTable::Remove(const std::shared_ptr<Call>& call) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(call);
  transfers_.erase(call);
}

void CallTable::Open() {
  absl::MutexLock lock(&mutex_);
  if (state_ == State::kLoading) state_ = State::kOpen;
}

void CallTable::BeginDrain() {
  absl::MutexLock lock(&mutex_);
  state_ = State::kDraining;
}

bool CallTable::AwaitEmpty(absl::Duration limit) {
  absl::MutexLock lock(&mutex_);
  const auto empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_.empty(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&empty), limit);
}

std::vector<std::shared_ptr<Call>> CallTable::Snapshot() {
  absl::MutexLock lock(&mutex_);
  return {calls_.begin(), calls_.end()};
}

// Calls are told outside of the lock: what they do in answer may remove them from the table.
void CallTable::CancelAll(const absl::Status& cause) {
  for (const std::shared_ptr<Call>& call : Snapshot()) call->Cancel(cause);
}

void CallTable::Expire(absl::Time now) {
  for (const std::shared_ptr<Call>& call : Snapshot()) call->ExpireAt(now);
}

}  // namespace steer
