#include "client/api/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Larger than any message of the contract; export chunks are 1 MiB and a page of sets a few hundred
// KiB.
constexpr int kMaxReceiveBytes = 64 << 20;
constexpr int64_t kMaxPemBytes = 1 << 20;

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

absl::Status ReadPem(const std::string& path, std::string* pem) {
  if (path.empty()) return absl::OkStatus();
  STEER_ASSIGN_OR_RETURN(*pem, ReadFile(path, kMaxPemBytes));
  if (absl::StrContains(*pem, "-----BEGIN ")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, " is not a PEM file"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelOptions& options) {
  STEER_RETURN_IF_ERROR(CheckAddress(options.server));
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key must be given together");
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  // Retries are ours: they know which calls may be repeated and show that the server is away.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // A server that comes back is found within this time, however long it was away.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  bool tls = options.tls || !options.ca_file.empty() || !options.certificate_file.empty();
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (tls) {
    grpc::SslCredentialsOptions ssl;
    STEER_RETURN_IF_ERROR(ReadPem(options.ca_file, &ssl.pem_root_certs));
    STEER_RETURN_IF_ERROR(ReadPem(options.certificate_file, &ssl.pem_cert_chain));
    STEER_RETURN_IF_ERROR(ReadPem(options.key_file, &ssl.pem_private_key));
    credentials = grpc::SslCredentials(ssl);
    if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  }
  return grpc::CreateCustomChannel(options.server, credentials, arguments);
}

}  // namespace steer
