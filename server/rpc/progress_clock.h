// At most one progress message a second.
#ifndef STEER_SERVER_RPC_PROGRESS_CLOCK_H_
#define STEER_SERVER_RPC_PROGRESS_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace steer {

// Not thread-safe: sinks are called on the engine thread.
class ProgressClock {
 public:
  // True, and the second starts anew. The first is due at once.
  bool Due() {
    const absl::Time now = absl::Now();
    if (now < next_) return false;
    next_ = now + absl::Seconds(1);
    return true;
  }

 private:
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_PROGRESS_CLOCK_H_
