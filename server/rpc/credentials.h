// Where steerd listens and with what security. Loopback without TLS is the default; anything that
// other machines can reach needs TLS or an explicit --insecure.
#ifndef STEER_SERVER_RPC_CREDENTIALS_H_
#define STEER_SERVER_RPC_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace steer {

struct ListenOptions {
  std::string address = "127.0.0.1:50051";  // host:port, [v6]:port, or unix:/path; port 0: any
  std::string tls_cert;                     // PEM files; both or neither
  std::string tls_key;
  std::string tls_client_ca;  // clients must show a certificate of this authority
  bool insecure = false;      // plain text beyond loopback
};

// True for 127.0.0.0/8, localhost, ::1 and Unix sockets.
bool IsLoopback(absl::string_view address);

// INVALID_ARGUMENT naming the flag: a malformed address, half a TLS pair, a plain non-loopback
// address without `insecure`. Errors of files name them.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ListenOptions& options);

// What a health probe on the same machine uses to reach a server with these options. It asks for
// one word and sends nothing, so it does not check the certificate's name.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeProbeCredentials(
    const ListenOptions& options);

}  // namespace steer

#endif  // STEER_SERVER_RPC_CREDENTIALS_H_
