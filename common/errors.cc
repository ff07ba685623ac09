#include "common/errors.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "common/json.h"

namespace steer {
namespace {

constexpr char kReasonUrl[] = "steer/reason";
constexpr char kRetryUrl[] = "steer/retry_nanoseconds";
constexpr char kViolationsUrl[] = "steer/violations";
// A message longer than this helps nobody and may not fit the trailer; the payload keeps the rest.
constexpr size_t kShownViolations = 20;

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  auto payload = status.GetPayload(kReasonUrl);
  return payload ? std::string(*payload) : std::string();
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryUrl, absl::Cord(absl::StrCat(absl::ToInt64Nanoseconds(delay))));
  return status;
}

absl::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  auto payload = status.GetPayload(kRetryUrl);
  int64_t nanoseconds = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &nanoseconds)) return absl::nullopt;
  return absl::Nanoseconds(nanoseconds);
}

absl::Status ViolationsError(const std::vector<Violation>& violations) {
  std::string message;
  for (size_t i = 0; i < violations.size() && i < kShownViolations; ++i) {
    absl::StrAppend(&message, i == 0 ? "" : "; ", violations[i].field, ": ",
                    violations[i].description);
  }
  if (violations.size() > kShownViolations) {
    absl::StrAppend(&message, "; and ", violations.size() - kShownViolations, " more");
  }
  absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, "INVALID_REQUEST", message);
  Json list = Json::array();
  for (const Violation& v : violations) list.push_back(Json::array({v.field, v.description}));
  // Field paths and descriptions may quote the caller's bytes; replace rather than throw.
  status.SetPayload(kViolationsUrl,
                    absl::Cord(list.dump(-1, ' ', false, Json::error_handler_t::replace)));
  return status;
}

std::vector<Violation> ViolationsOf(const absl::Status& status) {
  std::vector<Violation> violations;
  auto payload = status.GetPayload(kViolationsUrl);
  if (!payload) return violations;
  Json list = Json::parse(std::string(*payload), nullptr, false);
  if (!list.is_array()) return violations;
  for (const Json& item : list) {
    if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
      violations.push_back({item[0].get<std::string>(), item[1].get<std::string>()});
    }
  }
  return violations;
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

absl::Status ViolationList::ToStatus() const {
  return violations_.empty() ? absl::OkStatus() : ViolationsError(violations_);
}

}  // namespace steer
