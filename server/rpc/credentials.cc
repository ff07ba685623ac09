#include "server/rpc/credentials.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/net_address.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

absl::Status FlagError(absl::string_view flag, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_FLAG",
                   absl::StrCat(flag, ": ", message));
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

}  // namespace steer
