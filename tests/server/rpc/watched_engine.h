// A real engine whose thread a test can hold after a step, and whose calls it can follow.
#ifndef STEER_TESTS_SERVER_RPC_WATCHED_ENGINE_H_
#define STEER_TESTS_SERVER_RPC_WATCHED_ENGINE_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/engine/engine.h"
#include "tests/server/rpc/forwarding_engine.h"

namespace steer {

// Thread-safe. Counts steps, and holds the engine's thread after the first step of a kind that it is told.
class Gate final : public EngineObserver {
 public:
  void OnStep(const StepReport& step) override {
    absl::MutexLock lock(&mutex_);
    ++steps_;
    if (!wanted_ || *wanted_ != step.kind) return;
    wanted_ = absl::nullopt;
    held_ = true;
    steps_ = 0;
    mutex_.Await(absl::Condition(&open_));
    held_ = false;
  }
  void OnQueueWait(RowKind kind, absl::Duration) override {
    absl::MutexLock lock(&mutex_);
    begun_.push_back(kind);
  }
  void OnLoad(int64_t waiting, int64_t running, int64_t kv_tokens) override {
    absl::MutexLock lock(&mutex_);
    load_ = waiting + running + kv_tokens;
  }

  void HoldAfter(StepKind kind) {
    absl::MutexLock lock(&mutex_);
    wanted_ = kind;
    open_ = false;
    begun_.clear();
  }
  bool held() const {
    absl::MutexLock lock(&mutex_);
    return held_;
  }
  void Open() {
    absl::MutexLock lock(&mutex_);
    wanted_ = absl::nullopt;
    open_ = true;
  }
  // Since the thread was held.
  int64_t steps() const {
    absl::MutexLock lock(&mutex_);
    return steps_;
  }
  // Whether a call of the kind has had its first step since HoldAfter.
  bool Began(RowKind kind) const {
    absl::MutexLock lock(&mutex_);
    return std::count(begun_.begin(), begun_.end(), kind) > 0;
  }
  // Rows and KV tokens that any call holds.
  int64_t load() const {
    absl::MutexLock lock(&mutex_);
    return load_;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::optional<StepKind> wanted_ ABSL_GUARDED_BY(mutex_);
  std::vector<RowKind> begun_ ABSL_GUARDED_BY(mutex_);
  bool held_ ABSL_GUARDED_BY(mutex_) = false, open_ ABSL_GUARDED_BY(mutex_) = true;
  int64_t steps_ ABSL_GUARDED_BY(mutex_) = 0, load_ ABSL_GUARDED_BY(mutex_) = -1;
};

// Thread-safe. Hands everything on, and remembers each job's control without keeping it alive.
class WatchedEngine final : public ForwardingEngine {
 public:
  explicit WatchedEngine(std::unique_ptr<Engine> engine)
      : ForwardingEngine(engine.get()), owned_(std::move(engine)) {}
  absl::Status Submit(FitJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<FitSink> sink) override {
    return Pass(std::move(job), std::move(control), std::move(sink));
  }
  absl::Status Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<GenerateSink> sink) override {
    return Pass(std::move(job), std::move(control), std::move(sink));
  }
  absl::Status Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<EvaluateSink> sink) override {
    return Pass(std::move(job), std::move(control), std::move(sink));
  }

  struct Seen {
    std::weak_ptr<CallControl> control;
    std::weak_ptr<void> sink;
  };
  std::vector<Seen> seen() const {
    absl::MutexLock lock(&mutex_);
    return seen_;
  }
  void Forget() {
    absl::MutexLock lock(&mutex_);
    seen_.clear();
  }

 private:
  template <typename Job, typename Sink>
  absl::Status Pass(Job job, std::shared_ptr<CallControl> control, std::shared_ptr<Sink> sink) {
    const Seen seen{control, sink};
    absl::Status status = engine_->Submit(std::move(job), std::move(control), std::move(sink));
    absl::MutexLock lock(&mutex_);
    seen_.push_back(seen);
    return status;
  }
  const std::unique_ptr<Engine> owned_;
  mutable absl::Mutex mutex_;
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_RPC_WATCHED_ENGINE_H_
