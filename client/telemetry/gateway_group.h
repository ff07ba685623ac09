// One group of a Prometheus Pushgateway: put, looked for, deleted. Each call is one exchange or a
// few, on the calling thread, with a deadline.
#ifndef STEER_CLIENT_TELEMETRY_GATEWAY_GROUP_H_
#define STEER_CLIENT_TELEMETRY_GATEWAY_GROUP_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "client/telemetry/metrics_text.h"

namespace steer {

struct GatewayGroup {
  std::string url;                       // http(s)://host[:port][/prefix]
  std::string job = "steer_experiment";  // first part of the group
  Labels labels;                         // the rest of it
};

// INVALID_ARGUMENT (reason INVALID_URL) if the URL is not http or https, or a label name is not one.
absl::Status CheckGroup(const GatewayGroup& group);

// The group's address: values that are not [A-Za-z0-9._-]+ travel in the gateway's base64 form.
std::string GroupUrl(const GatewayGroup& group);

// The URL without a name and password, for people.
std::string ShownUrl(absl::string_view url);

// Replaces the group's metrics (PUT). UNAVAILABLE says why not; `abort` may be null.
absl::Status PutGroup(const GatewayGroup& group, absl::string_view snapshot,
                      absl::Duration timeout = absl::Seconds(2),
                      const std::atomic<bool>* abort = nullptr);

// Series that were pushed to exactly this group; unset if the gateway has no such group.
// UNAVAILABLE if it does not say.
absl::StatusOr<absl::optional<int64_t>> SeriesOfGroup(const GatewayGroup& group,
                                                      absl::Duration timeout = absl::Seconds(2));

// Deletes the group and waits until the gateway, which queues this, lists it no longer: how many
// series it had. NOT_FOUND (reason NO_SUCH_GROUP) if there is none; UNAVAILABLE as above, or if it
// is still listed after `timeout`.
absl::StatusOr<int64_t> DeleteGroup(const GatewayGroup& group,
                                    absl::Duration timeout = absl::Seconds(2));

// Asks the gateway whether it is ready (GET /-/ready). UNAVAILABLE says why not.
absl::Status ProbeGateway(const std::string& url, absl::Duration timeout = absl::Seconds(2));

// Fetches a metrics page (GET url). UNAVAILABLE says why it could not be had.
absl::Status ProbeMetrics(const std::string& url, absl::Duration timeout = absl::Seconds(2));

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_GATEWAY_GROUP_H_
