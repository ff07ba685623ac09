#include "common/bearer_token.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status Bad(const std::string& path, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_TOKEN_FILE",
                   absl::StrCat("token file '", path, "' ", what));
}

}  // namespace

absl::StatusOr<std::string> NewBearerToken() {
  unsigned char bytes[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1) {
    return MakeError(absl::StatusCode::kInternal, "NO_RANDOMNESS",
                     "the operating system gave no random bytes");
  }
  return absl::StrCat("steer_", absl::BytesToHexString(absl::string_view(
                                    reinterpret_cast<const char*>(bytes), sizeof bytes)));
}

bool IsTokenName(absl::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') {
      return false;
    }
  }
  return true;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 4096));
  absl::string_view token = text;
  absl::ConsumeSuffix(&token, "\n");
  absl::ConsumeSuffix(&token, "\r");
  for (const char c : token) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return Bad(path, "must hold one line with the token and nothing else");
    }
  }
  if (token.size() < kMinTokenBytes || token.size() > kMaxTokenBytes) {
    return Bad(path, absl::StrCat("holds ", token.size(), " bytes; a token has ", kMinTokenBytes,
                                  " to ", kMaxTokenBytes, " (make one with `steerctl token new`)"));
  }
  return std::string(token);
}

absl::Status WriteTokenFile(const std::string& path, absl::string_view token) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const bool exists = errno == EEXIST;
    return MakeError(
        exists ? absl::StatusCode::kAlreadyExists : absl::StatusCode::kFailedPrecondition,
        "TOKEN_FILE_NOT_WRITTEN",
        absl::StrCat("cannot write the token file '", path, "': ", std::strerror(errno)));
  }
  const std::string line = absl::StrCat(token, "\n");
  const bool written =
      write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && fsync(fd) == 0;
  if (close(fd) == 0 && written) return absl::OkStatus();
  unlink(path.c_str());
  return MakeError(absl::StatusCode::kResourceExhausted, "TOKEN_FILE_NOT_WRITTEN",
                   absl::StrCat("cannot write the token file '", path, "': is the disk full?"));
}

bool ReadableByOthers(const std::string& path) {
  struct stat facts = {};
  return stat(path.c_str(), &facts) == 0 && (facts.st_mode & S_IROTH) != 0;
}

}  // namespace steer
