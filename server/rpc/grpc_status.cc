#include "server/rpc/grpc_status.h"

#include <vector>

#include "absl/time/time.h"
#include "common/errors.h"
#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace steer {
namespace {

constexpr absl::Duration kDefaultRetry = absl::Seconds(1);

// At most `limit` bytes of whole characters; protobuf refuses strings that are not UTF-8.
std::string Shortened(absl::string_view text, size_t limit) {
  std::string out;
  for (size_t offset = 0; offset < text.size();) {
    const size_t before = out.size();
    AppendUtf8(NextCodePoint(text, &offset), &out);
    if (out.size() > limit) {
      out.resize(before);
      break;
    }
  }
  return out;
}

// As many as fit beside `used` bytes.
google::rpc::BadRequest ToBadRequest(const std::vector<Violation>& violations, size_t used) {
  google::rpc::BadRequest bad;
  // Room for the entry that counts the rest.
  constexpr size_t kReserved = 96;
  for (size_t i = 0; i < violations.size(); ++i) {
    google::rpc::BadRequest::FieldViolation item;
    item.set_field(Shortened(violations[i].field, 256));
    item.set_description(Shortened(violations[i].description, 512));
    used += item.ByteSizeLong() + 4;
    if (used + kReserved > kMaxDetailBytes) {
      auto* rest = bad.add_field_violations();
      rest->set_description(
          absl::StrCat(violations.size() - i, " more violations do not fit into this error"));
      break;
    }
    *bad.add_field_violations() = std::move(item);
  }
  return bad;
}

}  // namespace

std::string ReasonOrDefault(const absl::Status& status) {
  if (status.ok()) return "";
  std::string reason = ReasonOf(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = Shortened(status.message(), kMaxMessageBytes);

  google::rpc::Status rich;
  rich.set_code(code);
  // The same words as beside the details: grpcio-status refuses to read a status where they differ.
  rich.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonOrDefault(status));
  info.set_domain("steer");
  rich.add_details()->PackFrom(info);

  if (const std::vector<Violation> violations = ViolationsOf(status); !violations.empty()) {
    rich.add_details()->PackFrom(ToBadRequest(violations, message.size()));
  }

  absl::optional<absl::Duration> retry = RetryDelayOf(status);
  // A full store stays full until somebody deletes: a client must not wait for it.
  const bool waiting_helps = ReasonOf(status) != "TOO_MANY_DIRECTIONS";
  if (!retry && waiting_helps && (code == grpc::UNAVAILABLE || code == grpc::RESOURCE_EXHAUSTED)) {
    retry = kDefaultRetry;
  }
  if (retry) {
    google::rpc::RetryInfo retry_info;
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(*retry);
    retry_info.mutable_retry_delay()->set_seconds(nanoseconds / 1000000000);
    retry_info.mutable_retry_delay()->set_nanos(static_cast<int>(nanoseconds % 1000000000));
    rich.add_details()->PackFrom(retry_info);
  }
  return grpc::Status(code, message, rich.SerializeAsString());
}

}  // namespace steer
