// Where steerd listens and with what security. Loopback without TLS is the default; anything that
// other machines can reach needs TLS or an explicit --insecure.
#ifndef STEER_SERVER_RPC_CREDENTIALS_H_
#define STEER_SERVER_RPC_CREDENTIALS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"
#include "server/rpc/tls_reload.h"

namespace steer {

struct ListenOptions {
  std::string address = "127.0.0.1:50051";  // host:port, [v6]:port, or unix:/path; port 0: any
  std::string tls_cert;                     // PEM files; both or neither
  std::string tls_key;
  std::string tls_client_ca;  // clients must show a certificate of this authority
  std::string tokens_file;    // who may call, see tokens_file.h; empty: everyone
  bool insecure = false;      // beyond loopback without TLS or tokens
};

// INVALID_ARGUMENT naming the flag: a malformed address, authorities without a certificate, tokens
// in plain text beyond loopback, or a non-loopback address without TLS and tokens, unless it is
// `insecure`: then a warning is logged.
absl::Status CheckListen(const ListenOptions& options);

// Null for plain text. INVALID_ARGUMENT naming the flag and the file. `on_reload` as in TlsReloader.
absl::StatusOr<std::shared_ptr<TlsReloader>> OpenTlsFiles(const ListenOptions& options,
                                                          std::function<void(bool)> on_reload);

// What a health probe on the same machine uses to reach a server with these options. It asks for
// one word and sends nothing, so it does not check the certificate's name. Where clients need a
// certificate it shows `tls_cert`: a probe may name another pair than the server's.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeProbeCredentials(
    const ListenOptions& options);

}  // namespace steer

#endif  // STEER_SERVER_RPC_CREDENTIALS_H_
