// When a failed call is worth another try, and how long to wait before it.
#ifndef STEER_CLIENT_API_RETRY_H_
#define STEER_CLIENT_API_RETRY_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace steer {

struct RetryPolicy {
  absl::Duration initial = absl::Milliseconds(200);
  absl::Duration max = absl::Seconds(5);
  double jitter = 0.2;  // share by which a wait is varied, both ways
};

// UNAVAILABLE, and RESOURCE_EXHAUSTED where the server says when to come back. RESOURCE_EXHAUSTED
// without that is an oversize message (gRPC uses the same code) or a full disk: trying again cannot
// help.
bool IsRetryable(const absl::Status& status);

// Wait before attempt `attempt` + 1 (attempts count from 1): exponential from `initial` to `max`,
// never shorter than the server's RetryInfo, varied by `uniform` in [0, 1).
absl::Duration RetryWait(const RetryPolicy& policy, int attempt, const absl::Status& status,
                         double uniform);

}  // namespace steer

#endif  // STEER_CLIENT_API_RETRY_H_
