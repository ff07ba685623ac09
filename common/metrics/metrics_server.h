// The /metrics endpoint of a program.
#ifndef STEER_COMMON_METRICS_METRICS_SERVER_H_
#define STEER_COMMON_METRICS_METRICS_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace steer {

class MetricsServer {
 public:
  // Listens on "host:port" (port 0: any free one) and serves `page` (a registry, or a collectable
  // of the caller's) and process_* on /metrics, with its own threads. The page has neither TLS nor
  // tokens, so an address that other machines reach must be wanted: `insecure`. INVALID_ARGUMENT
  // (reason INVALID_ADDRESS or METRICS_BEYOND_LOOPBACK), UNAVAILABLE (reason
  // METRICS_ADDRESS_UNAVAILABLE) naming the address if it cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& address, bool insecure, std::shared_ptr<prometheus::Collectable> page);
  // Closes the port and joins.
  ~MetricsServer();

  // Serves this too. By the thread that started the server.
  void Add(const std::shared_ptr<prometheus::Collectable>& collectable);

  int port() const { return port_; }

 private:
  MetricsServer() = default;
  std::shared_ptr<prometheus::Collectable> page_;
  std::shared_ptr<prometheus::Collectable> process_;
  std::vector<std::shared_ptr<prometheus::Collectable>> added_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // last: it reads those above
  int port_ = 0;
};

}  // namespace steer

#endif  // STEER_COMMON_METRICS_METRICS_SERVER_H_
