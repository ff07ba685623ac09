// Of the health check alone, so that steerd links no more than this for it.
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/status_macros.h"
#include "common/tls_files.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "server/rpc/credentials.h"

namespace steer {
namespace {

// The pair, or an empty one for plain text.
absl::StatusOr<TlsPair> ReadPair(const ListenOptions& options) {
  if (!options.tls_cert.empty() || !options.tls_key.empty()) {
    return ReadTlsPair(options.tls_cert, options.tls_key);
  }
  if (!options.tls_client_ca.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_FLAG",
                     "--tls-client-ca: needs --tls-cert and --tls-key");
  }
  return TlsPair();
}

}  // namespace

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
