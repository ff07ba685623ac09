#include "server/rpc/call.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "server/rpc/authenticate.h"
#include "server/rpc/grpc_status.h"
#include "spdlog/spdlog.h"

namespace steer {

namespace {

AuthenticationFailure AuthFailureOf(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kPermissionDenied) return AuthenticationFailure::kRole;
  return ReasonOf(status) == "TOKEN_MISSING" ? AuthenticationFailure::kMissing
                                             : AuthenticationFailure::kUnknown;
}

}  // namespace

Call::Call(ServiceState* state, absl::string_view method, grpc::CallbackServerContext* context)
    : state_(state), method_(method), arrival_(absl::Now()), context_(context) {
  // A call without a deadline carries the largest time point, which FromChrono saturates.
  control_->deadline =
      std::min(absl::FromChrono(context->deadline()), arrival_ + state->options.max_call);
  control_->arrival = arrival_;
  audit_.time = arrival_;
  audit_.method = method_;
  audit_.peer = context->peer();
  Caller caller;
  authorised_ = Authorise(state->tokens.get(), method, context->client_metadata(), &caller);
  audit_.token = std::move(caller.token);
  audit_.certificate = CertificateSubject(context->auth_context().get());
}

absl::Status Call::Start(size_t request_bytes, bool transfer) {
  state_->metrics->CallStarted(method_);
  if (!authorised_.ok()) {
    state_->metrics->AuthenticationFailed(AuthFailureOf(authorised_));
    return authorised_;
  }
  const int64_t limit = state_->options.max_request_bytes;
  if (static_cast<int64_t>(request_bytes) > limit) {
    state_->metrics->Rejected(Rejection::kTooLarge);
    return MakeError(
        absl::StatusCode::kInvalidArgument, "REQUEST_TOO_LARGE",
        absl::StrCat("the request has ", request_bytes, " bytes, this server takes at most ", limit,
                     " (Limits.max_request_bytes); send fewer prompts a call"));
  }
  Admission admission;
  if (method_ == "FitDirection") admission.lane = Lane::kFit;
  if (method_ == "Evaluate") admission.lane = Lane::kEvaluate;
  admission.transfer = transfer;
  admission.steps = admission.lane != Lane::kOther || method_ == "Generate";
  admission.bytes = static_cast<int64_t>(request_bytes);
  return state_->calls.Admit(shared_from_this(), admission);
}

absl::Status Call::AdmitWork(const JobCost& cost) {
  const absl::Duration left = control_->deadline - absl::Now();
  if (left < absl::Seconds(cost.least_seconds)) {
    state_->metrics->Rejected(Rejection::kDeadline);
    return MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE_TOO_SHORT",
                     absl::StrCat("the call needs at least ", cost.least_seconds,
                                  " s and its deadline is in ", absl::ToDoubleSeconds(left),
                                  " s; nothing was run: set a later deadline or split the call"));
  }
  return state_->calls.AdmitTokens(shared_from_this(),
                                   cost.prompt_tokens + cost.max_generated_tokens);
}

void Call::Cancel(const absl::Status& cause) {
  {
    absl::MutexLock lock(&mutex_);
    if (cause_.ok()) {
      cause_ = cause;
      cancelled_at_ = absl::Now();
    }
  }
  control_->cancelled.store(true, std::memory_order_relaxed);
}

void Call::ClientGone() {
  // gRPC reports a passed deadline as a cancellation, and the client's clock may be a little ahead
  // of what we read from its rounded timeout.
  const absl::Duration slack = absl::Milliseconds(20) + (control_->deadline - arrival_) / 100;
  Cancel(absl::Now() >= control_->deadline - slack
             ? DeadlineError()
             : MakeError(absl::StatusCode::kCancelled, "CLIENT_CANCELLED",
                         "the client cancelled the call"));
}

absl::Status Call::DeadlineError() const {
  return MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED",
                   absl::StrCat("the call's deadline passed after ",
                                absl::FormatDuration(control_->deadline - arrival_)));
}

absl::Status Call::Check() {
  if (cancelled()) {
    absl::MutexLock lock(&mutex_);
    return cause_;
  }
  return absl::Now() < control_->deadline ? absl::OkStatus() : DeadlineError();
}

void Call::ExpireAt(absl::Time now) {
  if (now >= control_->deadline) Cancel(DeadlineError());
  // The lock keeps the context alive (Detach waits for it). Reactions that TryCancel sets off do
  // not run inside it: from a thread that is not gRPC's, gRPC queues them for its own.
  absl::MutexLock lock(&mutex_);
  if (now - cancelled_at_ > state_->options.linger && context_ != nullptr) context_->TryCancel();
}

void Call::CountReplay() { state_->metrics->Replayed(method_); }

grpc::Status Call::Complete(absl::Status status) {
  const absl::Duration took = absl::Now() - arrival_;
  {
    absl::MutexLock lock(&mutex_);
    if (!status.ok() && !cause_.ok()) status = cause_;
    if (context_ != nullptr && !status.ok()) {
      // The one signal that gRPC's own retry policy understands.
      if (auto delay = RetryDelayOf(status)) {
        context_->AddTrailingMetadata("grpc-retry-pushback-ms",
                                      absl::StrCat(absl::ToInt64Milliseconds(*delay)));
      }
    }
  }
  state_->calls.Remove(shared_from_this());
  state_->metrics->CallHandled(method_, status.code(), took);
  audit_.code = std::string(GrpcCodeLabel(status.code()));
  audit_.reason = ReasonOrDefault(status);
  audit_.seconds = absl::ToDoubleSeconds(took);
  if (state_->audit != nullptr) state_->audit->Write(audit_);
  // Never the message: it may quote the request.
  if (status.code() == absl::StatusCode::kInternal ||
      status.code() == absl::StatusCode::kDataLoss) {
    spdlog::error("{} failed: {} {} after {:.3f} s", method_, audit_.code, audit_.reason,
                  audit_.seconds);
  }
  return ToGrpcStatus(status);
}

void Call::Detach() {
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
}

}  // namespace steer
