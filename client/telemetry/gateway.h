// Pushes snapshots to a Prometheus Pushgateway without ever holding up the caller: own thread, a
// slot for the newest snapshot, short timeouts. A silent, slow or broken gateway costs counted
// failures and nothing else.
#ifndef STEER_CLIENT_TELEMETRY_GATEWAY_H_
#define STEER_CLIENT_TELEMETRY_GATEWAY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/telemetry/metrics_text.h"

namespace steer {

struct GatewayOptions {
  std::string url;                                 // http(s)://host[:port][/prefix]
  std::string job = "steerctl";                    // first part of the group
  Labels group;                                    // the rest of it
  absl::Duration timeout = absl::Seconds(2);       // of one push, connecting included
  absl::Duration interval = absl::Seconds(1);      // least time between pushes
  absl::Duration max_backoff = absl::Seconds(30);  // after failures in a row
};

// The URL of a group: values that are not [A-Za-z0-9._-]+ travel in the gateway's base64 form.
std::string GroupUrl(absl::string_view url, absl::string_view job, const Labels& group);

// Asks the gateway whether it is ready (GET /-/ready). UNAVAILABLE says why not. At most `timeout`.
absl::Status ProbeGateway(const std::string& url, absl::Duration timeout = absl::Seconds(2));

// Fetches a metrics page (GET url). UNAVAILABLE says why it could not be had.
absl::Status ProbeMetrics(const std::string& url, absl::Duration timeout = absl::Seconds(2));

// Thread-safe.
class GatewayPusher {
 public:
  // INVALID_ARGUMENT if the URL is not http or https, or a label name is not one.
  static absl::StatusOr<std::unique_ptr<GatewayPusher>> Start(GatewayOptions options);
  // As Close.
  ~GatewayPusher();

  // Takes the place of a snapshot that has not been sent. Never blocks on the network.
  void Publish(std::string snapshot);

  // Sends the newest snapshot if it has not been sent, giving up after `timeout`, then ends the
  // thread. A second call does nothing.
  void Close();

  struct Counts {
    int64_t pushed = 0;
    int64_t failed = 0;
    std::string last_error;  // of the last failed push; no credentials, no body
  };
  Counts counts() const;

 private:
  class Impl;
  explicit GatewayPusher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_GATEWAY_H_
