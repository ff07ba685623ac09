#include "server/rpc/credentials.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "common/tls_files.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

bool IsUnixSocket(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || absl::StartsWith(address, "unix-abstract:");
}

absl::Status FlagError(absl::string_view flag, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_FLAG",
                   absl::StrCat(flag, ": ", message));
}

// Splits "host:port" at the last colon; brackets around a v6 host are taken off.
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

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ListenOptions& options) {
  absl::string_view host;
  int port = 0;
  if (!IsUnixSocket(options.address) && !SplitAddress(options.address, &host, &port)) {
    return FlagError("--listen", absl::StrCat("'", options.address,
                                              "' is not host:port, [v6]:port or unix:/path"));
  }
  STEER_ASSIGN_OR_RETURN(TlsPair files, ReadPair(options));
  if (files.key.empty()) {
    if (!IsLoopback(options.address)) {
      if (!options.insecure) {
        return FlagError(
            "--listen", absl::StrCat("'", options.address,
                                     "' can be reached from other machines without encryption or "
                                     "authentication; give --tls-cert and --tls-key, or --insecure "
                                     "if the network is trusted"));
      }
      spdlog::warn("listening on {} without TLS (--insecure): anyone who reaches it can use it",
                   options.address);
    }
    return grpc::InsecureServerCredentials();
  }
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  pair.cert_chain = std::move(files.certificates);
  pair.private_key = std::move(files.key);
  grpc::SslServerCredentialsOptions ssl(
      options.tls_client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                    : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ssl.pem_key_cert_pairs.push_back(pair);
  if (!options.tls_client_ca.empty()) {
    STEER_ASSIGN_OR_RETURN(ssl.pem_root_certs,
                           ReadTlsAuthorities("--tls-client-ca", options.tls_client_ca));
  }
  return grpc::SslServerCredentials(ssl);
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
