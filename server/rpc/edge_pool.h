// A few threads for work that must not run in a gRPC reaction (there are two of those threads on a
// small box) nor on the engine's: tokenising, templates, compiling interventions, the store's
// files.
#ifndef STEER_SERVER_RPC_EDGE_POOL_H_
#define STEER_SERVER_RPC_EDGE_POOL_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace steer {

// Thread-safe. The queue needs no bound of its own: a call queues at most one task at a time, and
// admission bounds calls.
class EdgePool {
 public:
  explicit EdgePool(int threads);
  // Runs what is queued, then joins.
  ~EdgePool();
  void Run(std::function<void()> task);

 private:
  void Work();
  absl::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_EDGE_POOL_H_
