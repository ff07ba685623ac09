// One HTTP exchange with a deadline. Private to client/telemetry.
#ifndef STEER_CLIENT_TELEMETRY_HTTP_H_
#define STEER_CLIENT_TELEMETRY_HTTP_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// The body of a 2xx answer, at most 64 MiB. UNAVAILABLE with libcurl's words where there is no
// answer (reason NO_ANSWER), with the status code and the beginning of what the server says, made
// printable, for any other. Any thread; raises no signal.
absl::StatusOr<std::string> Fetch(const HttpRequest& request);
// As Fetch, without the body.
absl::Status Exchange(const HttpRequest& request);

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_HTTP_H_
