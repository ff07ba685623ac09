// Errors that carry a reason for programs and, for requests, every violation
// (https://google.aip.dev/193). Inside the programs they travel as absl::Status with payloads;
// server/rpc turns them into grpc::Status and client/api back.
#ifndef STEER_COMMON_ERRORS_H_
#define STEER_COMMON_ERRORS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace steer {

// One rule that one field breaks.
struct Violation {
  std::string field;        // path in the request or file, as "arms[2].name"
  std::string description;  // what is wrong and what would be right
  friend bool operator==(const Violation&, const Violation&) = default;
};

// A status with an UPPER_SNAKE reason of at most 63 characters.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message);
// Empty if `status` carries none.
std::string ReasonOf(const absl::Status& status);

// Adds "retry after" to a status; read back with RetryDelayOf.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
absl::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// INVALID_ARGUMENT (reason INVALID_REQUEST) with all violations, as message and as payload. Needs
// at least one.
absl::Status ViolationsError(const std::vector<Violation>& violations);
std::vector<Violation> ViolationsOf(const absl::Status& status);

// Same code and payloads, message prefixed with "<context>: ".
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// Collects violations while validation goes on. Not thread-safe.
class ViolationList {
 public:
  // Pieces of the description are concatenated as by absl::StrCat.
  template <typename... Pieces>
  void Add(absl::string_view field, const Pieces&... pieces) {
    violations_.push_back({std::string(field), absl::StrCat(pieces...)});
  }
  bool empty() const { return violations_.empty(); }
  const std::vector<Violation>& violations() const { return violations_; }
  // OK if empty, otherwise ViolationsError.
  absl::Status ToStatus() const;

 private:
  std::vector<Violation> violations_;
};

}  // namespace steer

#endif  // STEER_COMMON_ERRORS_H_
