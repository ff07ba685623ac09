// Cancels a streaming call that says nothing for too long, or when the caller wants to stop. gRPC's
// own deadline bounds the whole call; a server that was paused or a network that swallows packets
// is noticed here, within the stall limit.
#ifndef STEER_CLIENT_API_STREAM_WATCH_H_
#define STEER_CLIENT_API_STREAM_WATCH_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grpc {
class ClientContext;
}  // namespace grpc

namespace steer {

// One per call, on the calling thread; the context must outlive it.
class StreamWatch {
 public:
  enum class Cause { kNone, kStalled, kStopped };
  // `stop` is polled from another thread, about ten times a second; may be empty.
  StreamWatch(grpc::ClientContext* context, absl::Duration stall, std::function<bool()> stop);
  ~StreamWatch();
  StreamWatch(const StreamWatch&) = delete;
  StreamWatch& operator=(const StreamWatch&) = delete;

  // A message came.
  void Touch();
  // Why the call was cancelled, if by this watch.
  Cause cause() const;

 private:
  void Loop();

  grpc::ClientContext* const context_;
  const absl::Duration stall_;
  const std::function<bool()> stop_;
  mutable absl::Mutex mutex_;
  absl::Time touched_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  Cause cause_ ABSL_GUARDED_BY(mutex_) = Cause::kNone;
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace steer

#endif  // STEER_CLIENT_API_STREAM_WATCH_H_
