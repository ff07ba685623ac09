// The JSON form of a lock's content. Private to client/plan.
#ifndef STEER_CLIENT_PLAN_LOCK_JSON_H_
#define STEER_CLIENT_PLAN_LOCK_JSON_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/plan/lock.h"
#include "common/json.h"

namespace steer {

// Everything but `digest` and `canonical`.
Json LockContent(const Lock& lock);

// The inverse; INVALID_ARGUMENT naming the place unless LockContent of the result is `content`
// again, FAILED_PRECONDITION (reason LOCK_VERSION) where it was written under other versions of a
// rule or format.
absl::StatusOr<Lock> LockFromContent(const Json& content);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_LOCK_JSON_H_
