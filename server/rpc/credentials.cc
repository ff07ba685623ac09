#include "server/rpc/credentials.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/net_address.h"
#include "common/status_macros.h"
#include "common/tls_files.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

absl::Status FlagError(absl::string_view flag, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_FLAG",
                   absl::StrCat(flag, ": ", message));
}

// The pair, or an empty one for plain text.
absl::StatusOr<TlsPair> ReadPair(const ListenOptions& options) {
  if (!options.tls_cert.empty() || !options.tls_key.empty()) {
    return ReadTlsPair(options.tls_cert, options.tls_key);
  }
  if (!options.tls_client_ca.empty()) {
    return FlagError("--tls-client-ca", "needs --tls-cert and --tls-key");
  }
  return TlsPair();
}

}  // namespace

absl::Status CheckListen(const ListenOptions& options) {
  absl::string_view host;
  int port = 0;
  if (!IsUnixSocket(options.address) && !SplitAddress(options.address, &host, &port)) {
    return FlagError("--listen", absl::StrCat("'", options.address,
                                              "' is not host:port, [v6]:port or unix:/path"));
  }
  const bool tls = !options.tls_cert.empty() || !options.tls_key.empty();
  if (!tls && !options.tls_client_ca.empty()) {
    return FlagError("--tls-client-ca", "needs --tls-cert and --tls-key");
  }
  if (IsLoopback(options.address)) return absl::OkStatus();
  if (!tls && !options.tokens_file.empty()) {
    return FlagError("--tokens-file",
                     "tokens would cross the network in plain text; give --tls-cert and --tls-key, "
                     "or listen on a loopback address");
  }
  if (tls && !options.tokens_file.empty()) return absl::OkStatus();
  if (!options.insecure) {
    return FlagError(
        "--listen",
        absl::StrCat("'", options.address, "' can be reached from other machines without ",
                     tls ? "tokens" : "encryption or authentication",
                     "; give --tls-cert, --tls-key and --tokens-file, or --insecure if everyone "
                     "who reaches it may use it"));
  }
  spdlog::warn("listening on {} without {} (--insecure): anyone who reaches it can use it",
               options.address, tls ? "tokens" : "TLS and tokens");
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<TlsReloader>> OpenTlsFiles(const ListenOptions& options,
                                                          std::function<void(bool)> on_reload) {
  if (options.tls_cert.empty() && options.tls_key.empty()) return nullptr;
  return TlsReloader::Open({options.tls_cert, options.tls_key, options.tls_client_ca},
                           std::move(on_reload));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeProbeCredentials(
    const ListenOptions& options) {
  STEER_ASSIGN_OR_RETURN(TlsPair files, ReadPair(options));
  if (files.key.empty()) return grpc::InsecureChannelCredentials();
  grpc::experimental::IdentityKeyCertPair pair;
  pair.certificate_chain = std::move(files.certificates);
  pair.private_key = std::move(files.key);
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_verify_server_certs(false);
  tls.set_check_call_host(false);
  tls.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  // A server that asks for client certificates gets its own.
  tls.set_certificate_provider(std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      pair.certificate_chain, std::vector<grpc::experimental::IdentityKeyCertPair>{pair}));
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(tls);
}

}  // namespace steer
