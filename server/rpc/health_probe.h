// A client of the standard health service (grpc.health.v1), for --healthcheck and tests.
#ifndef STEER_SERVER_RPC_HEALTH_PROBE_H_
#define STEER_SERVER_RPC_HEALTH_PROBE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

namespace steer {

// OK if `service` ("" for the whole server) is SERVING; UNAVAILABLE with the reason otherwise.
absl::Status ProbeHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                         absl::Duration timeout);

}  // namespace steer

#endif  // STEER_SERVER_RPC_HEALTH_PROBE_H_
