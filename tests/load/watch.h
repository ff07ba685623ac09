// What a server under load takes, looked at from outside.
#ifndef STEER_TESTS_LOAD_WATCH_H_
#define STEER_TESTS_LOAD_WATCH_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace steer {

// Of a process, from /proc; 0 if it is gone.
int64_t ResidentBytes(pid_t pid);
int Descriptors(pid_t pid);
int Threads(pid_t pid);

struct Sample {
  double seconds = 0;  // since the watch began
  double value = 0;
};

// Slope of the least-squares line, a second; 0 for fewer than two samples.
double SlopeOf(const std::vector<Sample>& samples);
// The value at `share` (0 to 1) of the sorted ones; 0 of none.
double Quantile(std::vector<double> values, double share);

// Calls `measure` every `period` on a thread of its own.
class Watch {
 public:
  Watch(std::function<double()> measure, absl::Duration period);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // Those taken so far, and since `since` seconds.
  std::vector<Sample> samples(double since = 0) const;
  double seconds() const;
  double Largest(double since = 0) const;

 private:
  void Run();
  const std::function<double()> measure_;
  const absl::Duration period_;
  const absl::Time begin_;
  mutable absl::Mutex mutex_;
  std::vector<Sample> samples_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last
};

// A number from the environment, for the longer forms of a test.
int64_t FromEnvironment(const char* name, int64_t otherwise);

}  // namespace steer

#endif  // STEER_TESTS_LOAD_WATCH_H_
