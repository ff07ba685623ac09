// The server's TLS files, read again when they change: connections made from then on see the new
// pair, those that stand keep the old one until they end. At least TLS 1.2, as gRPC has it.
#ifndef STEER_SERVER_RPC_TLS_RELOAD_H_
#define STEER_SERVER_RPC_TLS_RELOAD_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/tls_files.h"
#include "grpcpp/security/server_credentials.h"

namespace steer {

struct TlsPaths {
  std::string certificate;
  std::string key;
  std::string client_authorities;  // empty: clients need no certificate
};

// Thread-safe, but for Poll, which one thread calls.
class TlsReloader {
 public:
  struct Files {
    TlsPair pair;
    std::string client_authorities;
    bool operator==(const Files& other) const;
  };

  // Errors as ReadTlsPair. `on_reload` (may be empty) hears of each later change: true if the files
  // were taken, false, once for each content, if they were not.
  static absl::StatusOr<std::shared_ptr<TlsReloader>> Open(TlsPaths paths,
                                                           std::function<void(bool)> on_reload);

  // Looks at the files. What is half written, or a pair that does not belong together, changes
  // nothing: the old files stay in use until a whole set is there.
  void Poll();

  // Files and a number that grows with each change.
  std::pair<Files, int> Current() const;
  bool asks_for_certificates() const { return !paths_.client_authorities.empty(); }

 private:
  TlsReloader(TlsPaths paths, std::function<void(bool)> on_reload)
      : paths_(std::move(paths)), on_reload_(std::move(on_reload)) {}
  absl::StatusOr<Files> Read() const;

  const TlsPaths paths_;
  const std::function<void(bool)> on_reload_;
  std::string seen_;  // digest of the content that was last read, taken or not
  mutable absl::Mutex mutex_;
  Files files_ ABSL_GUARDED_BY(mutex_);
  int generation_ ABSL_GUARDED_BY(mutex_) = 1;
};

// Asks the reloader at every handshake. Must live until the server that listens with it is gone.
std::shared_ptr<grpc::ServerCredentials> ReloadingCredentials(
    std::shared_ptr<TlsReloader> reloader);

}  // namespace steer

#endif  // STEER_SERVER_RPC_TLS_RELOAD_H_
