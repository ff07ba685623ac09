// Several threads that begin at one moment.
#ifndef STEER_TESTS_THREADS_CROWD_H_
#define STEER_TESTS_THREADS_CROWD_H_

#include <functional>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"

namespace steer {

// Runs work(0) ... work(threads - 1), each on a thread of its own, and joins them.
inline void Crowd(int threads, const std::function<void(int)>& work) {
  // The last one to leave deletes it: absl's rule for a Barrier.
  auto* barrier = new absl::Barrier(threads);
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([barrier, &work, t] {
      if (barrier->Block()) delete barrier;
      work(t);
    });
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace steer

#endif  // STEER_TESTS_THREADS_CROWD_H_
