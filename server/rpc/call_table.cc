#include "server/rpc/call_table.h"

#include "common/errors.h"
#include "common/status_macros.h"
#include "server/rpc/call.h"
#include "server/telemetry/metrics.h"

namespace steer {
namespace {

absl::Status Refusal(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                     absl::Duration retry) {
  return WithRetryDelay(MakeError(code, reason, message), retry);
}

}  // namespace

int AdmissionLimits::LaneCalls(Lane lane) const {
  return lane == Lane::kFit        ? calls - calls / 2
         : lane == Lane::kEvaluate ? calls - calls / 4
                                   : calls;
}

absl::Status CallTable::Admit(const std::shared_ptr<Call>& call, const Admission& admission) {
  absl::MutexLock lock(&mutex_);
  STEER_RETURN_IF_ERROR(CheckRoom(admission));
  calls_[call] = {admission, 0};
  return absl::OkStatus();
}

absl::Status CallTable::CheckRoom(const Admission& admission) const {
  constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
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
  if (static_cast<int>(calls_.size()) >= limits_.calls) {
    metrics_->Rejected(Rejection::kCallsFull);
    return Refusal(kExhausted, "TOO_MANY_CALLS",
                   absl::StrCat("all ", limits_.calls, " call slots are taken; try again later"),
                   absl::Seconds(1));
  }
  int in_lane = 0, transfers = 0;
  for (const auto& [call, held] : calls_) {
    in_lane += held.admission.lane == admission.lane;
    transfers += held.admission.transfer;
  }
  if (in_lane >= limits_.LaneCalls(admission.lane)) {
    metrics_->Rejected(Rejection::kLaneFull);
    return Refusal(kExhausted, "LANE_FULL",
                   absl::StrCat("all ", in_lane, " slots for calls of this method are taken; the ",
                                "others are kept for other methods; try again later"),
                   absl::Seconds(1));
  }
  if (admission.transfer && transfers >= limits_.transfers) {
    metrics_->Rejected(Rejection::kTransfersFull);
    return Refusal(
        kExhausted, "TOO_MANY_TRANSFERS",
        absl::StrCat("all ", limits_.transfers, " slots for export and import are taken"),
        absl::Seconds(1));
  }
  const QueueLoad load = LoadLocked();
  int waiting = 0;
  for (const int lane : load.waiting) waiting += lane;
  if (admission.steps && waiting >= limits_.queue_calls) {
    metrics_->Rejected(Rejection::kCallsFull);
    return Refusal(kExhausted, "TOO_MANY_CALLS",
                   absl::StrCat(waiting, " calls wait for their first step (--queue-calls); try ",
                                "again later"),
                   absl::Seconds(1));
  }
  if (load.bytes > 0 && load.bytes + admission.bytes > limits_.queue_bytes) {
    metrics_->Rejected(Rejection::kQueueBytes);
    return Refusal(
        kExhausted, "QUEUE_BYTES",
        absl::StrCat("running calls hold ", load.bytes, " bytes of requests and ",
                     limits_.queue_bytes, " (--queue-bytes) are allowed; try again ", "later"),
        absl::Seconds(1));
  }
  return absl::OkStatus();
}

absl::Status CallTable::AdmitTokens(const std::shared_ptr<Call>& call, int64_t tokens) {
  absl::MutexLock lock(&mutex_);
  const int64_t held = LoadLocked().tokens;
  if (held > 0 && held + tokens > limits_.queue_tokens) {
    metrics_->Rejected(Rejection::kQueueTokens);
    return Refusal(
        absl::StatusCode::kResourceExhausted, "QUEUE_TOKENS",
        absl::StrCat("running calls hold ", held, " tokens, this one needs ", tokens, " and ",
                     limits_.queue_tokens, " (--queue-tokens) are allowed; ", "try again later"),
        absl::Seconds(2));
  }
  if (auto it = calls_.find(call); it != calls_.end()) it->second.tokens = tokens;
  return absl::OkStatus();
}

QueueLoad CallTable::LoadLocked() const {
  QueueLoad load;
  for (const auto& [call, held] : calls_) {
    load.tokens += held.tokens;
    load.bytes += held.admission.bytes;
    if (held.admission.steps && !call->control()->started.load(std::memory_order_relaxed)) {
      ++load.waiting[static_cast<int>(held.admission.lane)];
    }
  }
  return load;
}

QueueLoad CallTable::load() {
  absl::MutexLock lock(&mutex_);
  return LoadLocked();
}

void CallTable::Remove(const std::shared_ptr<Call>& call) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(call);
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
  std::vector<std::shared_ptr<Call>> calls;
  for (const auto& [call, held] : calls_) calls.push_back(call);
  return calls;
}

// Calls are told outside of the lock: what they do in answer may remove them from the table.
void CallTable::CancelAll(const absl::Status& cause) {
  for (const std::shared_ptr<Call>& call : Snapshot()) call->Cancel(cause);
}

void CallTable::Expire(absl::Time now) {
  for (const std::shared_ptr<Call>& call : Snapshot()) call->ExpireAt(now);
}

}  // namespace steer
