// Pushes snapshots to a Prometheus Pushgateway without ever holding up the caller: own thread, a
// slot for the newest snapshot, short timeouts. A silent, slow or broken gateway costs counted
// failures and nothing else.
#ifndef STEER_CLIENT_TELEMETRY_GATEWAY_H_
#define STEER_CLIENT_TELEMETRY_GATEWAY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/telemetry/gateway_group.h"
#include "client/telemetry/histogram.h"

namespace steer {

struct GatewayOptions {
  GatewayGroup group;
  absl::Duration timeout = absl::Seconds(2);       // of one push, connecting included
  absl::Duration interval = absl::Seconds(1);      // least time between pushes
  absl::Duration max_backoff = absl::Seconds(30);  // after failures in a row
};

// What became of pushes.
struct PushCounts {
  PushCounts();
  int64_t pushed = 0;
  int64_t failed = 0;
  Histogram seconds;       // that each took, whatever its end
  std::string last_error;  // of the last failed push; no credentials, nothing of what was pushed
};

// Thread-safe.
class GatewayPusher {
 public:
  // As CheckGroup.
  static absl::StatusOr<std::unique_ptr<GatewayPusher>> Start(GatewayOptions options);
  // As Close.
  ~GatewayPusher();

  // Takes the place of a snapshot that has not been sent. Never blocks on the network.
  void Publish(std::string snapshot);

  // Sends the newest snapshot if it has not been sent, giving up after `timeout`, then ends the
  // thread. A second call does nothing.
  void Close();

  PushCounts counts() const;

 private:
  class Impl;
  explicit GatewayPusher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_GATEWAY_H_
