#include "client/api/retry.h"

#include <algorithm>
#include <cmath>

#include "common/errors.h"

namespace steer {

bool IsRetryable(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kUnavailable) return true;
  return status.code() == absl::StatusCode::kResourceExhausted && RetryDelayOf(status).has_value();
}

absl::Duration RetryWait(const RetryPolicy& policy, int attempt, const absl::Status& status,
                         double uniform) {
  int doublings = std::clamp(attempt - 1, 0, 30);
  absl::Duration wait = std::min(policy.initial * std::ldexp(1.0, doublings), policy.max);
  wait = wait * (1 + policy.jitter * (2 * uniform - 1));
  absl::optional<absl::Duration> asked = RetryDelayOf(status);
  // A server that names a delay beyond a minute is not one to sleep on: the caller's patience
  // decides.
  if (asked)
    wait = std::max(wait, std::min(*asked, absl::Minutes(1)) * (1 + policy.jitter * uniform));
  return wait;
}

}  // namespace steer
