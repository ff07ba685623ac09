// Whether an address can be listened on, asked of the system before gRPC is: gRPC says no more than that it failed.
#ifndef STEER_SERVER_RPC_LISTEN_CHECK_H_
#define STEER_SERVER_RPC_LISTEN_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace steer {

// `address` as CheckListen accepts it. UNAVAILABLE (ADDRESS_UNAVAILABLE) that says why and what to do; any thread.
// For a name of several addresses it is enough that one is free, as it is for gRPC. Nothing is held: another
// program may still be faster.
absl::Status CheckCanListen(const std::string& address);

}  // namespace steer

#endif  // STEER_SERVER_RPC_LISTEN_CHECK_H_
