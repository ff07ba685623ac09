// A plain HTTP/1.0 GET on loopback, so that metrics are read by nothing that steer wrote for
// itself.
#ifndef STEER_TESTS_INTEGRATION_HTTP_H_
#define STEER_TESTS_INTEGRATION_HTTP_H_

#include <string>

namespace steer {

// The body, or "" if the request failed.
std::string HttpGet(int port, const std::string& path);

}  // namespace steer

#endif  // STEER_TESTS_INTEGRATION_HTTP_H_
