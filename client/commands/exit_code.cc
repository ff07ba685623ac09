#include "client/commands/exit_code.h"

#include <string>

#include "absl/strings/string_view.h"
#include "common/errors.h"

namespace steer {
namespace {

struct ReasonCode {
  absl::string_view reason;
  ExitCode code;
};

constexpr ReasonCode kReasons[] = {
    {"DISK", kExitDisk},
    {"FIGURE", kExitFigure},
    {"FOLDER_IN_USE", kExitFolder},
    {"FOLDER_OF_ANOTHER_LOCK", kExitFolder},
    {"NOT_A_RUN_FOLDER", kExitFolder},
    {"LOCK_TAMPERED", kExitInput},
    {"LOCK_VERSION", kExitInput},
    {"LOCK_DATA_MISMATCH", kExitInput},
    {"LOG_DAMAGED", kExitInput},
    {"LOCK_SERVER_MISMATCH", kExitServer},
    {"NUMERICS_CHANGED", kExitServer},
    {"CELL_CONFLICT", kExitServer},
    {"AUDIT_LOG_DAMAGED", kExitInput},
    {"BAD_TOKEN_FILE", kExitInput},
    {"INVALID_ADDRESS", kExitUsage},
    {"INVALID_URL", kExitUsage},
    {"SAME_FOLDER", kExitUsage},
    {"METRICS_BEYOND_LOOPBACK", kExitUsage},
    {"METRICS_ADDRESS_UNAVAILABLE", kExitMetricsAddress},
    {"GATEWAY_FAILED", kExitGateway},
    {"NO_SUCH_GROUP", kExitInput},
    {"RUN_UNFINISHED", kExitIncomplete},
    {"TOKEN_IN_PLAIN_TEXT", kExitUsage},
    {"TLS_FAULT", kExitUnreachable},
};

}  // namespace

int ExitCodeOf(const absl::Status& status, Source source) {
  if (status.ok()) return kExitOk;
  std::string reason = ReasonOf(status);
  for (const ReasonCode& known : kReasons) {
    if (reason == known.reason) return known.code;
  }
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    case absl::StatusCode::kResourceExhausted:
      if (RetryDelayOf(status)) return kExitUnreachable;
      return source == Source::kServer ? kExitServer : kExitInput;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return source == Source::kServer ? kExitServer : kExitFailure;
    default:
      return source == Source::kServer ? kExitServer : kExitInput;
  }
}

}  // namespace steer
