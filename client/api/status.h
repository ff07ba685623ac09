// From what gRPC reports to absl::Status: code, message, and steer's reason, violations and retry
// delay (common/errors.h).
#ifndef STEER_CLIENT_API_STATUS_H_
#define STEER_CLIENT_API_STATUS_H_

#include "absl/status/status.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace steer {

// Details that do not parse are dropped; the code and message always survive. Pure.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace steer

#endif  // STEER_CLIENT_API_STATUS_H_
