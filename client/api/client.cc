#include "client/api/client.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/api/client_impl.h"
#include "client/api/status.h"
#include "common/errors.h"

namespace steer {
namespace {

constexpr char kStopped[] = "stopped by the user";

// Sleeps in slices so that a stop is felt at once.
void SleepUnlessStopped(absl::Duration wait, const std::function<bool()>& stop) {
  for (; wait > absl::ZeroDuration() && !(stop && stop()); wait -= absl::Milliseconds(50)) {
    absl::SleepFor(std::min(wait, absl::Milliseconds(50)));
  }
}

}  // namespace

std::shared_ptr<Connection> Client::Impl::connection() {
  absl::MutexLock lock(&mutex);
  return current;
}

void Client::Impl::Abandon(const std::shared_ptr<Connection>& dead) {
  if (!options.reopen || connection() != dead) return;
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = options.reopen();
  if (!channel.ok()) return;
  auto fresh = std::make_shared<Connection>(*std::move(channel));
  absl::MutexLock lock(&mutex);
  if (current == dead) current = std::move(fresh);
}

Attempt::Attempt(Client::Impl* client, absl::Duration deadline)
    : client_(client),
      connection_(client->connection()),
      watch_(&context_, client->options.stall, client->options.stop) {
  context_.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
}

absl::Status Attempt::Result(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const StreamWatch::Cause cause = watch_.cause();
  if (cause == StreamWatch::Cause::kStopped) return absl::CancelledError(kStopped);
  if (cause == StreamWatch::Cause::kStalled) {
    client_->Abandon(connection_);
    return absl::UnavailableError(
        absl::StrCat("the server said nothing for ", absl::FormatDuration(client_->options.stall)));
  }
  // Nobody here cancelled: a server that shuts down ends its calls so, and may come back.
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    return absl::UnavailableError("the server ended the call");
  }
  const absl::Status result = FromGrpc(status);
  // A deadline that the server noticed comes with its reason.
  if (result.code() == absl::StatusCode::kDeadlineExceeded && ReasonOf(result).empty()) {
    client_->Abandon(connection_);
  }
  return result;
}

absl::Status ProtocolError(absl::string_view message) {
  return MakeError(absl::StatusCode::kDataLoss, "PROTOCOL",
                   absl::StrCat("the server broke the contract: ", message));
}

Client::Client(std::shared_ptr<grpc::Channel> channel, ClientOptions options)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  absl::MutexLock lock(&impl_->mutex);
  impl_->current = std::make_shared<Connection>(std::move(channel));
}

Client::~Client() = default;

const ClientOptions& Client::options() const { return impl_->options; }

absl::Status Client::Impl::Retrying(absl::string_view method,
                                    absl::FunctionRef<absl::Status(bool* alive)> attempt) {
  absl::BitGen random;
  absl::Duration waited;
  for (int n = 1;; ++n) {
    if (options.stop && options.stop()) return absl::CancelledError(kStopped);
    bool alive = false;
    absl::Time start = absl::Now();
    absl::Status status = attempt(&alive);
    if (status.ok() || !IsRetryable(status)) return status;
    // The wall clock may step; a negative or absurd difference must not eat the patience.
    absl::Duration spent = std::max(absl::Now() - start, absl::ZeroDuration());
    if (alive) {
      n = 1;
      waited = absl::ZeroDuration();
    } else {
      waited += std::min(spent, std::max(options.deadline, options.stall));
    }
    absl::Duration wait = RetryWait(options.retry, n, status, absl::Uniform(random, 0.0, 1.0));
    // The last wait is as long as patience lasts, so that all of it is used; a server that asks for
    // more than that is not asked again before.
    if (waited + wait > options.patience) {
      if (waited >= options.patience || RetryDelayOf(status).has_value()) return status;
      wait = options.patience - waited;
    }
    if (options.on_retry) options.on_retry(method, status);
    if (options.on_waiting) options.on_waiting(status, waited);
    SleepUnlessStopped(wait, options.stop);
    waited += wait;
  }
}

template <typename Request, typename Response>
absl::StatusOr<Response> Client::Impl::Unary(
    absl::string_view method,
    grpc::Status (v1::SteerService::Stub::*call)(grpc::ClientContext*, const Request&, Response*),
    const Request& request) {
  Response response;
  absl::Status status = Retrying(method, [&](bool*) {
    Attempt attempt(this, options.deadline);
    response.Clear();
    absl::Status status =
        attempt.Result((attempt.stub()->*call)(attempt.context(), request, &response));
    // A paused server lets short calls run into their deadline; patience decides, not one attempt.
    if (status.code() != absl::StatusCode::kDeadlineExceeded) return status;
    return absl::UnavailableError(
        absl::StrCat("no answer within ", absl::FormatDuration(options.deadline)));
  });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::GetModelResponse> Client::GetModel() {
  return impl_->Unary("GetModel", &v1::SteerService::Stub::GetModel, v1::GetModelRequest());
}

absl::StatusOr<v1::TokenizeResponse> Client::Tokenize(const v1::TokenizeRequest& request) {
  auto response = impl_->Unary("Tokenize", &v1::SteerService::Stub::Tokenize, request);
  if (response.ok() && response->prompts_size() != request.prompts_size()) {
    return ProtocolError("Tokenize answered another number of prompts");
  }
  return response;
}

absl::StatusOr<v1::GetDirectionResponse> Client::GetDirection(
    const v1::GetDirectionRequest& request) {
  return impl_->Unary("GetDirection", &v1::SteerService::Stub::GetDirection, request);
}

absl::StatusOr<v1::ListDirectionsResponse> Client::ListDirections(
    const v1::ListDirectionsRequest& request) {
  return impl_->Unary("ListDirections", &v1::SteerService::Stub::ListDirections, request);
}

absl::Status Client::DeleteDirection(const std::string& set_id) {
  v1::DeleteDirectionRequest request;
  request.set_set_id(set_id);
  return impl_->Unary("DeleteDirection", &v1::SteerService::Stub::DeleteDirection, request)
      .status();
}

std::string NewRequestId() {
  absl::BitGen random;
  uint64_t high = absl::Uniform<uint64_t>(random);
  uint64_t low = absl::Uniform<uint64_t>(random);
  high = (high & ~uint64_t{0xf000}) | 0x4000;              // version 4
  low = (low & ~(uint64_t{3} << 62)) | uint64_t{1} << 63;  // variant 1
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0xffff, low >> 48, low & 0xffffffffffff);
}

}  // namespace steer
