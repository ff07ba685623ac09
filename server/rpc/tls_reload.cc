#include "server/rpc/tls_reload.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <tuple>

#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

constexpr int64_t kMaxPemBytes = 1 << 20;

// Of what lies at the paths, readable or not.
std::string ContentDigest(const TlsPaths& paths) {
  Sha256 digest;
  for (const std::string& path : {paths.certificate, paths.key, paths.client_authorities}) {
    const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxPemBytes);
    digest.Field(bytes.ok() ? *bytes : bytes.status().ToString());
  }
  return digest.Hex();
}

// gRPC's C++ interface has no such credentials that check a pair before they take it (its file
// watcher serves whatever it finds), but its C interface lets the owner hand over each pair.
class Credentials final : public grpc::ServerCredentials {
 public:
  explicit Credentials(std::shared_ptr<TlsReloader> reloader) : reloader_(std::move(reloader)) {
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            reloader_->asks_for_certificates()
                ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            &Fetch, this));
  }
  ~Credentials() override { grpc_server_credentials_release(credentials_); }

  // Authentication is ours and comes with reasons (authenticate.h).
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC calls it at each handshake, one at a time, and keeps what it has for UNCHANGED.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    auto* credentials = static_cast<Credentials*>(self);
    auto [files, generation] = credentials->reloader_->Current();
    if (generation == credentials->handed_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {files.pair.key.c_str(),
                                             files.pair.certificates.c_str()};
    // gRPC aborts without authorities, also where it asks no client for a certificate.
    const std::string& roots =
        files.client_authorities.empty() ? files.pair.certificates : files.client_authorities;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    credentials->handed_ = generation;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const std::shared_ptr<TlsReloader> reloader_;
  int handed_ = 0;  // generation that gRPC has
  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

bool TlsReloader::Files::operator==(const Files& other) const {
  return std::tie(pair.certificates, pair.key, client_authorities) ==
         std::tie(other.pair.certificates, other.pair.key, other.client_authorities);
}

absl::StatusOr<TlsReloader::Files> TlsReloader::Read() const {
  Files files;
  STEER_ASSIGN_OR_RETURN(files.pair, ReadTlsPair(paths_.certificate, paths_.key));
  if (asks_for_certificates()) {
    STEER_ASSIGN_OR_RETURN(files.client_authorities,
                           ReadTlsAuthorities("--tls-client-ca", paths_.client_authorities));
  }
  return files;
}

absl::StatusOr<std::shared_ptr<TlsReloader>> TlsReloader::Open(
    TlsPaths paths, std::function<void(bool)> on_reload) {
  std::shared_ptr<TlsReloader> reloader(new TlsReloader(std::move(paths), std::move(on_reload)));
  // Before the files are read: a change in between shows at the first Poll.
  reloader->seen_ = ContentDigest(reloader->paths_);
  STEER_ASSIGN_OR_RETURN(Files files, reloader->Read());
  absl::MutexLock lock(&reloader->mutex_);
  reloader->files_ = std::move(files);
  return reloader;
}

std::pair<TlsReloader::Files, int> TlsReloader::Current() const {
  absl::MutexLock lock(&mutex_);
  return {files_, generation_};
}

// By content, not by time stamps: those have the width of a clock tick, in which a file may be
// written, read and written again. Nothing is parsed while the content stays.
void TlsReloader::Poll() {
  const std::string content = ContentDigest(paths_);
  if (content == seen_) return;
  absl::StatusOr<Files> files = Read();
  if (ContentDigest(paths_) != content) return;  // being written: the next Poll looks again
  seen_ = content;
  if (!files.ok()) {
    spdlog::error("TLS files were not read again, those before stay in use: {}",
                  std::string(files.status().message()));
    if (on_reload_) on_reload_(false);
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (files_ == *files) return;
    files_ = *std::move(files);
    ++generation_;
  }
  spdlog::info("TLS files read again; new connections use them");
  if (on_reload_) on_reload_(true);
}

std::shared_ptr<grpc::ServerCredentials> ReloadingCredentials(
    std::shared_ptr<TlsReloader> reloader) {
  return std::make_shared<Credentials>(std::move(reloader));
}

}  // namespace steer
