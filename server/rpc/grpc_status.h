// The one place where absl::Status becomes grpc::Status (https://google.aip.dev/193).
#ifndef STEER_SERVER_RPC_GRPC_STATUS_H_
#define STEER_SERVER_RPC_GRPC_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace steer {

// Trailers travel in HTTP/2 headers, and gRPC peers refuse more than 8 KiB of them by default: a
// longer list of violations would reach the client as RESOURCE_EXHAUSTED without a word of it. The
// list is cut to this many bytes of details, and its last entry then says how many are missing.
inline constexpr size_t kMaxDetailBytes = 4096;
inline constexpr size_t kMaxMessageBytes = 1024;

// Code and message (shortened to kMaxMessageBytes) with a serialised google.rpc.Status as details:
// always one ErrorInfo (domain "steer", a default reason where the status carries none), BadRequest
// for violations, RetryInfo for a retry delay; UNAVAILABLE and RESOURCE_EXHAUSTED always have one.
grpc::Status ToGrpcStatus(const absl::Status& status);

// ReasonOf, or the default of the code ("INTERNAL"). Empty for OK.
std::string ReasonOrDefault(const absl::Status& status);

}  // namespace steer

#endif  // STEER_SERVER_RPC_GRPC_STATUS_H_
