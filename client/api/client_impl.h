// Private to client/api: what the files of Client share.
#ifndef STEER_CLIENT_API_CLIENT_IMPL_H_
#define STEER_CLIENT_API_CLIENT_IMPL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "client/api/client.h"
#include "client/api/stream_watch.h"
#include "steer/v1/steer_service.grpc.pb.h"

namespace steer {

// A channel and what calls on it. Calls keep the one that they began on.
struct Connection {
  explicit Connection(std::shared_ptr<grpc::Channel> c)
      : channel(std::move(c)), stub(v1::SteerService::NewStub(channel)) {}
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::SteerService::Stub> stub;
};

struct Client::Impl {
  ClientOptions options;

  // Thread-safe.
  std::shared_ptr<Connection> connection();
  // Later calls get a new connection, unless they have one already or options.reopen has none.
  void Abandon(const std::shared_ptr<Connection>& dead);

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

  absl::Mutex mutex;
  std::shared_ptr<Connection> current ABSL_GUARDED_BY(mutex);
};

// One attempt of one call: its connection, context, deadline and watch.
class Attempt {
 public:
  Attempt(Client::Impl* client, absl::Duration deadline);
  v1::SteerService::Stub* stub() { return connection_->stub.get(); }
  grpc::ClientContext* context() { return &context_; }
  void Touch() { watch_.Touch(); }
  // What the call came to. A stall reads as UNAVAILABLE, a stop as CANCELLED, whatever gRPC made of
  // the cancellation. If the call ended in silence (stalled, or past its deadline without a word
  // from the server), its connection is abandoned: it may have died without a word, and gRPC would
  // send the next call into it.
  absl::Status Result(const grpc::Status& status);

 private:
  Client::Impl* const client_;
  const std::shared_ptr<Connection> connection_;
  grpc::ClientContext context_;
  StreamWatch watch_;  // after context_, which it cancels
};

// DATA_LOSS with reason PROTOCOL: the server broke the contract.
absl::Status ProtocolError(absl::string_view message);

}  // namespace steer

#endif  // STEER_CLIENT_API_CLIENT_IMPL_H_
