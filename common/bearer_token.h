// Bearer tokens. The client keeps the token in a file of its own, the server only its SHA-256. A
// token is 256 random bits, so that a plain digest of it tells nobody what it is.
#ifndef STEER_COMMON_BEARER_TOKEN_H_
#define STEER_COMMON_BEARER_TOKEN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

inline constexpr size_t kMinTokenBytes = 32;
inline constexpr size_t kMaxTokenBytes = 512;

// "steer_" and 64 hex digits from the operating system's generator. INTERNAL if that fails.
absl::StatusOr<std::string> NewBearerToken();

// 1 to 64 of [A-Za-z0-9._-]: what a token may be called in the tokens file and the audit log.
bool IsTokenName(absl::string_view name);

// The token in a file: one line, kMinTokenBytes to kMaxTokenBytes of visible ASCII. INVALID_ARGUMENT
// (BAD_TOKEN_FILE) names the file and never quotes it; errors of files name them.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

// A new file that only its owner may read. ALREADY_EXISTS rather than overwrite a token in use.
absl::Status WriteTokenFile(const std::string& path, absl::string_view token);

// True if users other than its owner and group may read the file. False also if it is not there.
bool ReadableByOthers(const std::string& path);

}  // namespace steer

#endif  // STEER_COMMON_BEARER_TOKEN_H_
