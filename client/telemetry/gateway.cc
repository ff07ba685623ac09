#include "client/telemetry/gateway.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/status_macros.h"

namespace steer {

PushCounts::PushCounts() : seconds({0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2}) {}

class GatewayPusher::Impl {
 public:
  explicit Impl(GatewayOptions options)
      : options_(std::move(options)), thread_([this] { Loop(); }) {}

  void Publish(std::string snapshot) {
    absl::MutexLock lock(&mutex_);
    if (closing_) return;
    slot_ = std::move(snapshot);
    full_ = true;
  }

  void Close() {
    {
      absl::MutexLock lock(&mutex_);
      if (closing_) return;
      closing_ = true;
      // A push that is under way carries an older snapshot; with a newer one waiting, it is only in
      // the way.
      if (full_) abort_ = true;
    }
    thread_.join();
  }

  PushCounts counts() const {
    absl::MutexLock lock(&mutex_);
    return counts_;
  }

 private:
  void Loop() {
    absl::Duration wait;
    for (;;) {
      std::string snapshot;
      bool last = false;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.AwaitWithTimeout(absl::Condition(&closing_), wait);
        auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return full_ || closing_; };
        mutex_.Await(absl::Condition(&ready));
        if (!full_) return;
        snapshot = std::move(slot_);
        full_ = false;
        last = closing_;
        if (last) abort_ = false;
      }
      const auto start = std::chrono::steady_clock::now();
      absl::Status status = PutGroup(options_.group, snapshot, options_.timeout, &abort_);
      const double took =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      absl::MutexLock lock(&mutex_);
      if (status.ok()) {
        ++counts_.pushed;
        counts_.seconds.Observe(took);
        wait = options_.interval;
      } else if (!abort_) {  // the last push is never aborted
        ++counts_.failed;
        counts_.seconds.Observe(took);
        counts_.last_error = std::string(status.message());
        wait = std::min(std::max(wait, options_.interval) * 2, options_.max_backoff);
      }
      if (last) return;
    }
  }

  const GatewayOptions options_;
  std::atomic<bool> abort_{false};
  mutable absl::Mutex mutex_;
  std::string slot_ ABSL_GUARDED_BY(mutex_);
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  PushCounts counts_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: starts when the rest is there
};

absl::StatusOr<std::unique_ptr<GatewayPusher>> GatewayPusher::Start(GatewayOptions options) {
  STEER_RETURN_IF_ERROR(CheckGroup(options.group));
  return std::unique_ptr<GatewayPusher>(
      new GatewayPusher(std::make_unique<Impl>(std::move(options))));
}

GatewayPusher::GatewayPusher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GatewayPusher::~GatewayPusher() { Close(); }
void GatewayPusher::Publish(std::string snapshot) { impl_->Publish(std::move(snapshot)); }
void GatewayPusher::Close() { impl_->Close(); }
PushCounts GatewayPusher::counts() const { return impl_->counts(); }

}  // namespace steer
