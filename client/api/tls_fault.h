// Faults of TLS that trying again cannot mend, told from a server that is away.
#ifndef STEER_CLIENT_API_TLS_FAULT_H_
#define STEER_CLIENT_API_TLS_FAULT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/api/channel.h"

namespace steer {

inline constexpr char kTlsFault[] = "TLS_FAULT";

// UNAUTHENTICATED (TLS_FAULT), saying what to do, for the message of a connection that failed for
// the certificates' sake or because only one side speaks TLS; unset for any other. gRPC reports
// these as UNAVAILABLE, and by words alone.
absl::optional<absl::Status> TlsFaultOf(absl::string_view message);

// What may be behind a connection that the server closed without a word, given our settings: a
// sentence, or empty if `message` says something else.
std::string ClosedConnectionHint(absl::string_view message, const ChannelOptions& options);

}  // namespace steer

#endif  // STEER_CLIENT_API_TLS_FAULT_H_
