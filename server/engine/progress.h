// Lets progress through at most once a second, and always at the end.
#ifndef STEER_SERVER_ENGINE_PROGRESS_H_
#define STEER_SERVER_ENGINE_PROGRESS_H_

#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace steer {

class ProgressGate {
 public:
  bool Passes(int64_t done, int64_t total) {
    absl::Time now = absl::Now();
    if (done < total && now - last_ < absl::Seconds(1)) return false;
    last_ = now;
    return true;
  }

 private:
  absl::Time last_ = absl::InfinitePast();
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_PROGRESS_H_
