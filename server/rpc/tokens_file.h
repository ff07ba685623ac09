// Who may call, and how much: the tokens file of --tokens-file. One entry a line,
//
//   ROLE SHA256-OF-THE-TOKEN NAME
//
// with single spaces; ROLE is read, run or admin, the digest 64 lower-case hex digits, NAME as
// IsTokenName has it. Empty lines and lines that begin with # are skipped. Names and digests occur
// once. The file holds no secret: it is worth protecting from writers more than from readers.
#ifndef STEER_SERVER_RPC_TOKENS_FILE_H_
#define STEER_SERVER_RPC_TOKENS_FILE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"

namespace steer {

// Each may do what the one before it may.
enum class Role { kRead, kRun, kAdmin };
absl::string_view RoleName(Role role);

struct TokenEntry {
  Role role = Role::kRead;
  std::array<uint8_t, 32> digest = {};
  std::string name;
};

// INVALID_ARGUMENT (BAD_TOKENS_FILE) naming `file` and the line, never quoting it: people paste
// tokens into the wrong file. A file without an entry is refused.
absl::StatusOr<std::vector<TokenEntry>> ParseTokens(absl::string_view text, absl::string_view file);

// The entry of a token, or null. The time it takes depends on the number of entries and the
// token's length, not on which entry is it or how much of a digest agrees.
const TokenEntry* FindToken(const std::vector<TokenEntry>& entries, absl::string_view token);

// The file, read again when its content changes. Thread-safe.
class TokensFile {
 public:
  // Also refuses a file that users other than its owner and group may write
  // (TOKENS_FILE_PERMISSIONS), and warns in the log if others may read it.
  static absl::StatusOr<std::unique_ptr<TokensFile>> Open(const std::string& path);

  absl::optional<TokenEntry> Find(absl::string_view token) const;

  // Looks at the file. One that cannot be used leaves the entries as they are and is logged once.
  void Poll();

 private:
  explicit TokensFile(std::string path) : path_(std::move(path)) {}
  using Entries = std::shared_ptr<const std::vector<TokenEntry>>;

  const std::string path_;
  std::string tried_;  // what Poll saw last: the file's text, or the error in its place
  mutable absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_TOKENS_FILE_H_
