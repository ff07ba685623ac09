// The listening server: port, security, limits, health, drain.
#ifndef STEER_SERVER_RPC_RPC_SERVER_H_
#define STEER_SERVER_RPC_RPC_SERVER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/rpc/credentials.h"
#include "server/rpc/service_state.h"

namespace grpc {
class Server;
}

namespace steer {

class SteerServiceImpl;

struct RpcServerOptions {
  ListenOptions listen;
  ServiceOptions service;
  // Also INVALID_ARGUMENT with a tokens file: health alone is open.
  bool reflection = false;
  // A connection is asked to end at this age (give or take a tenth) and its calls go on; none: 0.
  // It is what bounds how long a peer keeps a certificate that is no longer trusted.
  absl::Duration max_connection_age = absl::Hours(1);
  // One without calls is closed after this long; none: 0.
  absl::Duration max_connection_idle = absl::Minutes(10);
  // Health turns to NOT_SERVING when the engine's heartbeat is older than this and than 20 times its
  // slowest step, and while its last canary row is wrong.
  absl::Duration stale_heartbeat = absl::Seconds(30);
  // Drain keeps the port open at least so long, for those who watch health to turn away.
  absl::Duration drain_window = absl::ZeroDuration();
  // How often heartbeat and overdue calls are looked at.
  absl::Duration watch_period = absl::Milliseconds(500);
};

// Thread-safe. Life: Start (listens; health NOT_SERVING, calls UNAVAILABLE), Serve, Drain,
// Shutdown.
class RpcServer {
 public:
  // `metrics` and `audit` (may be null) outlive the server. UNAVAILABLE if the port is in use.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(RpcServerOptions options,
                                                          Metrics* metrics, AuditLog* audit);
  // Shutdown, if not done yet.
  ~RpcServer();

  // From here on calls reach the engine, which must outlive Shutdown.
  void Serve(Engine* engine);
  // Health off and new calls UNAVAILABLE at once; waits for running ones (and the drain window), and
  // cancels after `limit` what is left. True if nothing had to be cancelled.
  bool Drain(absl::Duration limit);
  // Closes the port and ends what still runs; returns when no call is left.
  void Shutdown();

  // Bound TCP port; 0 for a Unix socket.
  int port() const { return port_; }

 private:
  explicit RpcServer(RpcServerOptions options, Metrics* metrics, AuditLog* audit);
  void UpdateGauges();
  void Watch();
  void UpdateHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RpcServerOptions options_;
  ServiceState state_;
  std::shared_ptr<TlsReloader> tls_;                      // null for plain text
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // gRPC calls it as long as server_ lives
  std::unique_ptr<SteerServiceImpl> service_;
  std::unique_ptr<grpc::Server> server_;  // after service_, which it calls
  int port_ = 0;
  absl::Mutex mutex_;
  enum class Phase { kLoading, kServing, kDraining, kStopped };
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kLoading;
  bool healthy_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watch_;
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_RPC_SERVER_H_
