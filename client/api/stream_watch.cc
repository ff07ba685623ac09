#include "client/api/stream_watch.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace steer {
namespace {

// The steady clock as an absl::Time, so that a step of the wall clock stalls nothing.
absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

StreamWatch::StreamWatch(grpc::ClientContext* context, absl::Duration stall,
                         std::function<bool()> stop)
    : context_(context),
      stall_(stall),
      stop_(std::move(stop)),
      touched_(SteadyNow()),
      thread_([this] { Loop(); }) {}

StreamWatch::~StreamWatch() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  thread_.join();
}

void StreamWatch::Touch() {
  absl::MutexLock lock(&mutex_);
  touched_ = SteadyNow();
}

StreamWatch::Cause StreamWatch::cause() const {
  absl::MutexLock lock(&mutex_);
  return cause_;
}

void StreamWatch::Loop() {
  absl::MutexLock lock(&mutex_);
  while (!ended_) {
    mutex_.AwaitWithTimeout(absl::Condition(&ended_), absl::Milliseconds(100));
    if (ended_) return;
    if (stop_ && stop_()) {
      cause_ = Cause::kStopped;
    } else if (SteadyNow() - touched_ > stall_) {
      cause_ = Cause::kStalled;
    } else {
      continue;
    }
    context_->TryCancel();
    return;
  }
}

}  // namespace steer
