// Private to client/api: what the files of Client share.
#ifndef STEER_CLIENT_API_CLIENT_IMPL_H_
#define STEER_CLIENT_API_CLIENT_IMPL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "client/api/client.h"
#include "client/api/stream_watch.h"
#include "steer/v1/steer_service.grpc.pb.h"

namespace steer {

struct Client::Impl {
  ClientOptions options;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::SteerService::Stub> stub;

  // Runs `attempt` until it succeeds, fails for good, or patience runs out. An attempt sets *alive
  // when the server showed life, which starts patience and backoff anew.
  absl::Status Retrying(absl::string_view method,
                        absl::FunctionRef<absl::Status(bool* alive)> attempt);

  // A short call without side effects, or whose side effects repeat harmlessly.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Unary(absl::string_view method,
                                 grpc::Status (v1::SteerService::Stub::*call)(grpc::ClientContext*,
                                                                              const Request&,
                                                                              Response*),
                                 const Request& request);
};

// One attempt of one call: its context, deadline and watch.
class Attempt {
 public:
  Attempt(const ClientOptions& options, absl::Duration deadline);
  grpc::ClientContext* context() { return &context_; }
  void Touch() { watch_.Touch(); }
  // What the call came to. A stall reads as UNAVAILABLE, a stop as CANCELLED, whatever gRPC made of
  // the cancellation.
  absl::Status Result(const grpc::Status& status) const;

 private:
  const absl::Duration stall_;
  grpc::ClientContext context_;
  StreamWatch watch_;  // after context_, which it cancels
};

// DATA_LOSS with reason PROTOCOL: the server broke the contract.
absl::Status ProtocolError(absl::string_view message);

}  // namespace steer

#endif  // STEER_CLIENT_API_CLIENT_IMPL_H_
