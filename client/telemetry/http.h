// One HTTP exchange with a deadline. Private to client/telemetry.
#ifndef STEER_CLIENT_TELEMETRY_HTTP_H_
#define STEER_CLIENT_TELEMETRY_HTTP_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace steer {

struct HttpRequest {
  std::string url;
  std::string method = "GET";
  absl::string_view body;
  std::string content_type;
  absl::Duration timeout = absl::Seconds(2);
  // True ends the exchange early. May be null.
  const std::atomic<bool>* abort = nullptr;
};

// OK for a 2xx answer. UNAVAILABLE with the status code or libcurl's words otherwise. Any thread;
// raises no signal.
absl::Status Exchange(const HttpRequest& request);

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_HTTP_H_
