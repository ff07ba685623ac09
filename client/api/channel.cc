#include "client/api/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/api/token_interceptor.h"
#include "common/bearer_token.h"
#include "common/errors.h"
#include "common/net_address.h"
#include "common/status_macros.h"
#include "common/tls_files.h"

namespace steer {
namespace {

// Larger than any message of the contract; export chunks are 1 MiB and a page of sets a few hundred
// KiB.
constexpr int kMaxReceiveBytes = 64 << 20;

absl::Status CheckAddress(const std::string& server) {
  if (absl::StartsWith(server, "unix:") && server.size() > 5) return absl::OkStatus();
  size_t colon = server.rfind(':');
  int port = 0;
  bool good = colon != std::string::npos && colon > 0 &&
              absl::SimpleAtoi(server.substr(colon + 1), &port) && port > 0 && port < 65536 &&
              server.find_first_of(" /\t\n") == std::string::npos;
  if (good) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_ADDRESS",
                   absl::StrCat("--server '", server, "' is not host:port, as in 127.0.0.1:50051"));
}

absl::StatusOr<grpc::SslCredentialsOptions> ReadTlsFiles(const ChannelOptions& options) {
  grpc::SslCredentialsOptions ssl;
  if (!options.ca_file.empty()) {
    STEER_ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadTlsAuthorities("--tls-ca", options.ca_file));
  }
  if (!options.certificate_file.empty() || !options.key_file.empty()) {
    STEER_ASSIGN_OR_RETURN(TlsPair pair, ReadTlsPair(options.certificate_file, options.key_file));
    ssl.pem_cert_chain = std::move(pair.certificates);
    ssl.pem_private_key = std::move(pair.key);
  }
  return ssl;
}

}  // namespace

bool UsesTls(const ChannelOptions& options) {
  return options.tls || !options.ca_file.empty() || !options.certificate_file.empty() ||
         !options.key_file.empty();
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options) {
  STEER_RETURN_IF_ERROR(CheckAddress(options.server));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  // Retries are ours: they know which calls may be repeated and show that the server is away.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // A server that comes back is found within this time, however long it was away.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Channels of one address otherwise share their connections, and one that is opened because a
  // connection died without a word would get the dead one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A connection whose other end is gone without a word (a router that forgot it, a machine that lost power) stays open for hours unless
  // somebody asks; calls would go on to be sent into it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 8000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (UsesTls(options)) {
    STEER_ASSIGN_OR_RETURN(const grpc::SslCredentialsOptions ssl, ReadTlsFiles(options));
    credentials = grpc::SslCredentials(ssl);
    if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  }
  if (options.token_file.empty()) {
    return grpc::CreateCustomChannel(options.server, credentials, arguments);
  }
  if (!UsesTls(options) && !IsLoopback(options.server)) {
    return MakeError(absl::StatusCode::kInvalidArgument, "TOKEN_IN_PLAIN_TEXT",
                     absl::StrCat("--token-file: the token would reach ", options.server,
                                  " in plain text; give --tls or --tls-ca as well"));
  }
  const absl::StatusOr<std::string> read = ReadTokenFile(options.token_file);
  if (!read.ok()) return Annotate(read.status(), "--token-file");
  const std::string& token = *read;
  return ChannelWithToken(options.server, credentials, arguments, token);
}

}  // namespace steer
