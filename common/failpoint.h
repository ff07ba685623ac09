// Named places where tests make a program fail. Off unless the environment variable
// STEER_FAILPOINTS is set at start (steerd refuses to start with it unless it is given
// --failpoints as well):
//   STEER_FAILPOINTS="log.append=kill@3,store.write=error"
// kill: SIGKILL to ourselves, as a power cut would; error: INTERNAL; skip: reported to callers of
// FailpointSkips. @n: at the n-th pass only.
#ifndef STEER_COMMON_FAILPOINT_H_
#define STEER_COMMON_FAILPOINT_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace steer {

// OK, an error, or no return. Any thread. One relaxed load when no failpoint is set.
absl::Status Failpoint(absl::string_view name);

// True if the failpoint says to leave out the step that it guards.
bool FailpointSkips(absl::string_view name);

}  // namespace steer

#endif  // STEER_COMMON_FAILPOINT_H_
