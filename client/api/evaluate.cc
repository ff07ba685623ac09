// The Evaluate stream and its continuation.
#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/api/client.h"
#include "client/api/client_impl.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// What has arrived, over all streams of one Evaluate.
class Arrivals {
 public:
  Arrivals(const v1::EvaluateRequest& request, Unfinished unfinished, OutcomeSink* sink)
      : request_(request), unfinished_(unfinished), sink_(sink), arms_(request.arms_size()) {
    for (const v1::HeldRow& held : request.held()) {
      if (held.arm() >= 0 && held.arm() < request.arms_size()) {
        arms_[held.arm()].seen.insert(held.prompt());
      }
    }
  }

  // The request for what is missing. Rows of a finished arm are held; those of an unfinished one as
  // told.
  v1::EvaluateRequest Missing() {
    v1::EvaluateRequest request = request_;
    request.clear_held();
    for (int a = 0; a < request_.arms_size(); ++a) {
      Arm& arm = arms_[a];
      if (broken_ && !arm.finished && unfinished_ == Unfinished::kRestart && arm.fresh) {
        arm.seen = HeldAtFirst(a);
        arm.fresh = false;
        sink_->OnArmRestart(a);
      }
      for (int prompt : arm.seen) {
        v1::HeldRow* held = request.add_held();
        held->set_arm(a);
        held->set_prompt(prompt);
      }
    }
    next_sequence_ = 0;
    broken_ = true;  // any further call follows a break
    return request;
  }

  absl::Status OnOutcome(const v1::Outcome& outcome) {
    if (outcome.arm() < 0 || outcome.arm() >= request_.arms_size()) {
      return ProtocolError("an outcome names an unknown arm");
    }
    const v1::Arm& wanted = request_.arms(outcome.arm());
    Arm& arm = arms_[outcome.arm()];
    if (!std::binary_search(wanted.prompts().begin(), wanted.prompts().end(), outcome.prompt())) {
      return ProtocolError(absl::StrCat("an outcome of arm ", wanted.name(), " names prompt ",
                                        outcome.prompt(), ", which is not its own"));
    }
    if (outcome.sequence() != next_sequence_++) {
      return ProtocolError("outcomes are out of sequence");
    }
    if (arm.finished || !arm.seen.insert(outcome.prompt()).second) {
      return ProtocolError(absl::StrCat("a row of arm ", wanted.name(), " came twice"));
    }
    arm.fresh = true;
    return sink_->OnOutcome(outcome);
  }

  absl::Status OnArm(const v1::ArmResult& result) {
    if (result.arm() < 0 || result.arm() >= request_.arms_size() ||
        result.name() != request_.arms(result.arm()).name()) {
      return ProtocolError("a result names an unknown arm");
    }
    Arm& arm = arms_[result.arm()];
    if (arm.finished) return absl::OkStatus();  // all its rows were held in this call
    if (!Complete(result.arm())) {
      return ProtocolError(absl::StrCat("arm ", result.name(), " was closed before its last row"));
    }
    arm.finished = true;
    ++finished_;
    return sink_->OnArm(result);
  }

  // Arms whose results have been handed on.
  int finished() const { return finished_; }

  // Every arm has its result; where unfinished arms are held, every row.
  bool AllDone() const {
    for (int a = 0; a < request_.arms_size(); ++a) {
      if (!arms_[a].finished && !(unfinished_ == Unfinished::kHold && Complete(a))) return false;
    }
    return true;
  }

 private:
  struct Arm {
    std::set<int> seen;     // rows held or received
    bool fresh = false;     // has rows of an unfinished stream
    bool finished = false;  // its result has been handed on
  };

  bool Complete(int arm) const {
    return static_cast<int>(arms_[arm].seen.size()) == request_.arms(arm).prompts_size();
  }

  std::set<int> HeldAtFirst(int arm) const {
    std::set<int> held;
    for (const v1::HeldRow& row : request_.held()) {
      if (row.arm() == arm) held.insert(row.prompt());
    }
    return held;
  }

  const v1::EvaluateRequest& request_;
  const Unfinished unfinished_;
  OutcomeSink* const sink_;
  std::vector<Arm> arms_;
  int finished_ = 0;
  int64_t next_sequence_ = 0;
  bool broken_ = false;
};

// Reads one stream to its end. An error of the sink or the contract cancels the call.
absl::Status ReadStream(Attempt* attempt, grpc::ClientReader<v1::EvaluateResponse>* stream,
                        Arrivals* arrivals, OutcomeSink* sink, bool* alive,
                        v1::EvaluateSummary* summary) {
  v1::EvaluateResponse message;
  absl::Status own;
  bool ended = false;
  while (own.ok() && stream->Read(&message)) {
    attempt->Touch();
    if (message.has_progress()) {
      sink->OnProgress(message.progress().rows_done(), message.progress().rows_total());
    } else if (message.has_outcome()) {
      *alive = true;
      own = arrivals->OnOutcome(message.outcome());
    } else if (message.has_arm_result()) {
      *alive = true;
      own = arrivals->OnArm(message.arm_result());
    } else if (message.has_summary()) {
      *summary = std::move(*message.mutable_summary());
      ended = true;
    }
  }
  if (!own.ok()) attempt->context()->TryCancel();
  absl::Status finished = attempt->Result(stream->Finish());
  STEER_RETURN_IF_ERROR(own);
  STEER_RETURN_IF_ERROR(finished);
  if (!ended) return ProtocolError("Evaluate ended without a summary");
  if (!arrivals->AllDone()) return ProtocolError("Evaluate ended before every arm was complete");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::EvaluateSummary> Client::Evaluate(const v1::EvaluateRequest& request,
                                                     Unfinished unfinished, OutcomeSink* sink) {
  Arrivals arrivals(request, unfinished, sink);
  v1::EvaluateSummary summary;
  STEER_RETURN_IF_ERROR(impl_->Retrying("Evaluate", [&](bool* alive) {
    if (arrivals.AllDone()) return absl::OkStatus();  // only the summary was lost
    v1::EvaluateRequest missing = arrivals.Missing();
    Attempt attempt(impl_.get(), impl_->options.long_deadline);
    auto stream = attempt.stub()->Evaluate(attempt.context(), missing);
    int before = arrivals.finished();
    absl::Status status = ReadStream(&attempt, stream.get(), &arrivals, sink, alive, &summary);
    // A server bounds the length of its calls; one that got somewhere is continued by another.
    bool cut = status.code() == absl::StatusCode::kDeadlineExceeded;
    return cut && arrivals.finished() > before ? absl::UnavailableError(status.message()) : status;
  }));
  return summary;
}

absl::StatusOr<v1::Cost> Client::EvaluateCost(v1::EvaluateRequest request) {
  request.set_validate_only(true);
  v1::Cost cost;
  STEER_RETURN_IF_ERROR(impl_->Retrying("Evaluate", [&](bool*) {
    Attempt attempt(impl_.get(), impl_->options.deadline);
    auto stream = attempt.stub()->Evaluate(attempt.context(), request);
    v1::EvaluateResponse message;
    bool done = false;
    while (stream->Read(&message)) {
      done = done || message.has_cost();
      if (message.has_cost()) cost = message.cost();
    }
    STEER_RETURN_IF_ERROR(attempt.Result(stream->Finish()));
    return done ? absl::OkStatus() : ProtocolError("validate_only was answered without a cost");
  }));
  return cost;
}

}  // namespace steer
