// Addresses as flags write them: host:port, [v6]:port, unix:/path.
#ifndef STEER_COMMON_NET_ADDRESS_H_
#define STEER_COMMON_NET_ADDRESS_H_

#include "absl/strings/string_view.h"

namespace steer {

bool IsUnixSocket(absl::string_view address);

// Splits "host:port" at the last colon; brackets around a v6 host are taken off. False if it is
// malformed or the port is not 0 to 65535.
bool SplitAddress(absl::string_view address, absl::string_view* host, int* port);

// True for 127.0.0.0/8, localhost, ::1 and Unix sockets: what other machines cannot reach.
bool IsLoopback(absl::string_view address);

}  // namespace steer

#endif  // STEER_COMMON_NET_ADDRESS_H_
