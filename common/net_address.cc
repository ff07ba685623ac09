#include "common/net_address.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace steer {

bool IsUnixSocket(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || absl::StartsWith(address, "unix-abstract:");
}

bool SplitAddress(absl::string_view address, absl::string_view* host, int* port) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(address.substr(colon + 1), port) ||
      *port < 0 || *port > 65535) {
    return false;
  }
  *host = address.substr(0, colon);
  const bool v6 = absl::ConsumePrefix(host, "[");
  if (v6 != absl::ConsumeSuffix(host, "]")) return false;
  return !host->empty() && (v6 || !absl::StrContains(*host, ":"));
}

bool IsLoopback(absl::string_view address) {
  if (IsUnixSocket(address)) return true;
  absl::string_view host;
  int port = 0;
  if (!SplitAddress(address, &host, &port)) return false;
  if (host == "localhost" || host == "::1") return true;
  // A name like "127.evil.example" must not pass for an address.
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace steer
