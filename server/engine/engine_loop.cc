#include "server/engine/engine_loop.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/engine/receipt.h"
#include "server/engine/row_timing.h"
#include "server/engine/sampler.h"
#include "server/engine/step_guard.h"

namespace steer {
namespace {

absl::Status Stopping() {
  return WithRetryDelay(
      MakeError(absl::StatusCode::kUnavailable, "STOPPING", "the server is stopping"),
      absl::Seconds(5));
}

}  // namespace

EngineLoop::EngineLoop(Stepper* stepper, SchedulerShape shape, int64_t vocabulary,
                       absl::Duration canary_period, EngineObserver* observer,
                       std::function<void(const absl::Status&)> on_fatal)
    : stepper_(stepper),
      shape_(shape),
      observer_(observer),
      vocabulary_(vocabulary),
      canary_period_(canary_period),
      on_fatal_(std::move(on_fatal)),
      scheduler_(shape) {
  Beat();
}

void EngineLoop::Stop() {
  absl::MutexLock lock(&mutex_);
  ended_ = Stopping();
}

absl::Status EngineLoop::Enqueue(std::shared_ptr<EngineCall> call) {
  absl::MutexLock lock(&mutex_);
  if (!ended_.ok()) return ended_;
  incoming_.push_back(std::move(call));
  return absl::OkStatus();
}

void EngineLoop::Beat() { heartbeat_.store(absl::ToUnixNanos(absl::Now())); }

absl::Status EngineLoop::health() const {
  absl::MutexLock lock(&mutex_);
  return health_;
}

void EngineLoop::AddCanary() {
  canary_runs_ = true;
  scheduler_.AddCall(std::make_shared<CanaryCall>(
      vocabulary_, &canary_, [this](const absl::Status& status) { OnCanary(status); }));
}

// After idleness, and after a wrong one also beside work: traffic must not keep the server unready.
bool EngineLoop::CanaryIsDue() const {
  if (canary_runs_) return false;
  if (scheduler_.calls().empty()) return absl::Now() - last_work_ >= canary_period_;
  return absl::Now() - last_canary_ >= canary_period_ && !health().ok();
}

void EngineLoop::OnCanary(const absl::Status& status) {
  canary_runs_ = false;
  last_work_ = last_canary_ = absl::Now();
  if (ReasonOf(status) == "STOPPING") return;
  observer_->OnCanary(status.ok());
  absl::MutexLock lock(&mutex_);
  health_ = status;
}

absl::Status EngineLoop::CheckCanary() {
  for (int run = 0; run < 2; ++run) {
    AddCanary();
    while (canary_runs_) Iterate();
    if (absl::Status status = health(); !status.ok()) return Annotate(status, "canary row");
  }
  return absl::OkStatus();
}

void EngineLoop::Iterate() {
  EndCalls();
  if (!RunStep()) idle_ = true;
  Beat();
}

void EngineLoop::Run() {
  while (TakeIncoming() && fatal_.ok()) {
    if (CanaryIsDue()) AddCanary();
    Iterate();
    observer_->OnLoad(scheduler_.waiting(), scheduler_.running(), scheduler_.kv_used());
  }
  if (!fatal_.ok()) EndForGood();
  while (!scheduler_.calls().empty()) EndCall(scheduler_.calls().front(), Stopping());
}

// Nothing can be computed any more: whoever waits is told to come back to the next process.
void EngineLoop::EndForGood() {
  observer_->OnDeviceError();
  {
    absl::MutexLock lock(&mutex_);
    health_ = ended_ = fatal_;
    for (auto& call : incoming_) scheduler_.AddCall(std::move(call));
    incoming_.clear();
  }
  while (!scheduler_.calls().empty()) EndCall(scheduler_.calls().front(), fatal_);
  if (on_fatal_) on_fatal_(fatal_);
}

// Waits for work while there is none; false when stopping.
bool EngineLoop::TakeIncoming() {
  absl::MutexLock lock(&mutex_);
  auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !ended_.ok() || !incoming_.empty();
  };
  // Calls in progress but nothing to run cannot last: EndCalls ends what is complete. A short
  // wait keeps deadlines and the heartbeat going.
  if (idle_)
    mutex_.AwaitWithTimeout(absl::Condition(&has_work),
                            scheduler_.calls().empty() ? absl::Seconds(1) : absl::Milliseconds(1));
  idle_ = false;
  for (auto& call : incoming_) scheduler_.AddCall(std::move(call));
  incoming_.clear();
  return ended_.ok();
}

void EngineLoop::EndCall(std::shared_ptr<EngineCall> call, const absl::Status& status) {
  for (const auto& row : scheduler_.RemoveCall(call.get())) Drop(*row, FinishOf(status));
  if (absl::StartsWith(ReasonOf(status), "NON_FINITE")) observer_->OnNonFinite(ReasonOf(status));
  call->Fail(status);
}

// Ends calls that were cancelled, are past their deadline, failed in the last step, or are
// complete.
void EngineLoop::EndCalls() {
  std::vector<std::shared_ptr<EngineCall>> calls(scheduler_.calls().begin(),
                                                 scheduler_.calls().end());
  for (auto& call : calls) {
    auto failure = failures_.find(call.get());
    if (failure != failures_.end()) {
      EndCall(call, failure->second);
    } else if (call->control().cancelled) {
      EndCall(call, MakeError(absl::StatusCode::kCancelled, "CANCELLED", "the caller cancelled"));
    } else if (absl::Now() > call->control().deadline) {
      EndCall(call, MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED",
                              "the deadline passed"));
    } else if (!scheduler_.HasRows(call.get()) && call->FinishIfComplete()) {
      scheduler_.RemoveCall(call.get());
    }
  }
  failures_.clear();
}

// One forward pass; false if there was nothing to do.
bool EngineLoop::RunStep() {
  std::vector<Row*> rows, finished;
  auto reader = [&](Row* row, absl::Span<const float> logits) {
    absl::StatusOr<bool> goes_on = ReadLogits(*row, logits);
    if (!goes_on.ok()) return Fail(row->call, goes_on.status());
    if (!*goes_on) finished.push_back(row);
  };
  absl::Time start = absl::Now();
  Stepper::Failures failures;
  int64_t tokens = 0;
  std::vector<PrefillPiece> pieces = scheduler_.PlanPrefill();
  bool prefill = !pieces.empty();
  if (prefill) {
    for (const PrefillPiece& piece : pieces) {
      rows.push_back(piece.row);
      tokens += piece.count;
    }
    failures = stepper_->Prefill(pieces, reader);
  } else {
    rows = scheduler_.PlanDecode();
    if (rows.empty()) return false;
    tokens = static_cast<int64_t>(rows.size());
    failures = stepper_->Decode(rows, reader);
  }
  const absl::Time end = absl::Now();
  const absl::Duration took = end - start;
  slowest_step_.store(std::max(slowest_step_.load(), absl::ToInt64Nanoseconds(took)));
  // Steps that the engine takes for itself alone are in no count.
  if (std::any_of(rows.begin(), rows.end(), [](const Row* row) { return row->counted; })) {
    last_work_ = absl::Now();
    ++(prefill ? prefill_steps_ : decode_steps_);
    observer_->OnStep({prefill ? StepKind::kPrefill : StepKind::kDecode,
                       static_cast<int64_t>(rows.size()), tokens,
                       prefill ? shape_.prefill_tokens : shape_.decode_rows,
                       CountInterventions(rows), took});
  }
  for (const auto& [row, status] : failures) {
    Fail(row->call, status);
    if (IsDeviceFailure(status)) fatal_ = status;
  }
  TimeRows(rows, start, end, observer_);
  TellCalls(rows, start);
  for (Row* row : rows) {
    if (!prefill || !row->prompt_done() || failures_.count(row->call) > 0) continue;
    if (row->decode.max_new_tokens > 0) {
      scheduler_.MoveToDecode(row);
    } else {
      finished.push_back(row);
    }
  }
  for (Row* row : finished) EndRow(row);
  return true;
}

// What a row's new logits mean: scores at the prompt's end, then the next token. False when the
// row is over.
absl::StatusOr<bool> EngineLoop::ReadLogits(Row& row, absl::Span<const float> logits) {
  if (row.generated.empty() && row.wants_prompt_logits)
    STEER_RETURN_IF_ERROR(row.call->OnPromptLogits(row, logits));
  if (row.decode.max_new_tokens == 0) return true;  // ends with the prompt, in RunStep
  STEER_ASSIGN_OR_RETURN(int32_t id,
                         ChooseToken(logits, row.decode, *row.prompt_ids, row.generated));
  row.generated.push_back(id);
  return row.call->OnToken(row);
}

void EngineLoop::TellCalls(const std::vector<Row*>& rows, absl::Time began) {
  std::map<EngineCall*, std::vector<Row*>> by_call;
  for (Row* row : rows) by_call[row->call].push_back(row);
  for (auto& [call, own] : by_call) {
    if (!call->started() && own.front()->counted) {
      observer_->OnQueueWait(own.front()->kind, began - call->submitted());
    }
    call->Started();
    call->OnStep(own);
  }
}

void EngineLoop::EndRow(Row* row) {
  std::unique_ptr<Row> taken = scheduler_.Take(row);
  if (failures_.count(taken->call) > 0) return Drop(*taken, RowFinish::kFailed);
  absl::Status status = CheckEdits(*taken);
  if (status.ok()) status = taken->call->OnRowDone(*taken);
  if (!status.ok()) {
    Fail(taken->call, status);
    return Drop(*taken, RowFinish::kFailed);
  }
  if (taken->counted) observer_->OnRow(ReportOf(*taken));
}

void EngineLoop::Drop(const Row& row, RowFinish why) {
  // It has begun: a row is admitted in the step that it first takes part in.
  if (row.counted) observer_->OnRowDropped(row.kind, why);
}

}  // namespace steer
