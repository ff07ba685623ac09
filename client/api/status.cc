#include "client/api/status.h"

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "client/api/tls_fault.h"
#include "common/errors.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace steer {
namespace {

// Adds the payloads of `from` to `to`; later ones win.
void CopyPayloads(const absl::Status& from, absl::Status* to) {
  from.ForEachPayload(
      [to](absl::string_view url, const absl::Cord& payload) { to->SetPayload(url, payload); });
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kUnavailable && status.error_details().empty()) {
    if (absl::optional<absl::Status> fault = TlsFaultOf(status.error_message())) return *fault;
  }
  absl::Status result(code, status.error_message());
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) {
    return result;
  }
  std::vector<Violation> violations;
  std::string reason;
  absl::optional<absl::Duration> delay;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    google::rpc::BadRequest bad;
    if (any.Is<google::rpc::ErrorInfo>() && any.UnpackTo(&info)) {
      reason = info.reason();
    } else if (any.Is<google::rpc::RetryInfo>() && any.UnpackTo(&retry)) {
      delay = absl::Seconds(retry.retry_delay().seconds()) +
              absl::Nanoseconds(retry.retry_delay().nanos());
    } else if (any.Is<google::rpc::BadRequest>() && any.UnpackTo(&bad)) {
      for (const auto& v : bad.field_violations()) {
        violations.push_back({v.field(), v.description()});
      }
    }
  }
  if (!violations.empty()) CopyPayloads(ViolationsError(violations), &result);
  if (!reason.empty()) CopyPayloads(MakeError(code, reason, ""), &result);
  return delay ? WithRetryDelay(std::move(result), *delay) : result;
}

}  // namespace steer
