// Where steerd is and how the connection to it is secured.
#ifndef STEER_CLIENT_API_CHANNEL_H_
#define STEER_CLIENT_API_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace steer {

// All paths are PEM files.
struct ChannelOptions {
  std::string server = "127.0.0.1:50051";  // host:port, [ipv6]:port or unix:path
  bool tls = false;
  std::string ca_file;           // empty: the system's roots
  std::string certificate_file;  // client certificate; needs key_file
  std::string key_file;
  std::string token_file;   // bearer token (common/bearer_token.h); empty: none
  std::string server_name;  // name to expect in the certificate; empty: the host
};

// True if `tls` is set or any of the paths is given.
bool UsesTls(const ChannelOptions& options);

// Does not connect yet, and shares no connection with another channel. Files are read here and not again: a client that is to use new ones opens a
// new channel. A token is only sent through TLS or to a loopback address; otherwise INVALID_ARGUMENT
// (TOKEN_IN_PLAIN_TEXT). INVALID_ARGUMENT names the flag that is wrong; file errors name the path.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options);

}  // namespace steer

#endif  // STEER_CLIENT_API_CHANNEL_H_
