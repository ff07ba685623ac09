#include "server/telemetry/audit_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/errors.h"
#include "common/json.h"
#include "spdlog/spdlog.h"

namespace steer {

std::string AuditLine(const AuditRecord& record) {
  OrderedJson line;
  line["time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", record.time, absl::UTCTimeZone());
  line["method"] = record.method;
  const auto add = [&line](const char* key, const std::string& value) {
    if (!value.empty()) line[key] = value;
  };
  add("request_id", record.request_id);
  add("plan_digest", record.plan_digest);
  add("set_id", record.set_id);
  add("peer", record.peer);
  add("purpose", record.purpose);
  if (record.validate_only) line["validate_only"] = true;
  if (!record.counts.empty()) line["counts"] = record.counts;
  if (!record.interventions.empty()) line["interventions"] = record.interventions;
  line["code"] = record.code;
  add("reason", record.reason);
  line["seconds"] = record.seconds;
  // Replace rather than throw: `peer` comes from the transport.
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "AUDIT_LOG_UNAVAILABLE",
        absl::StrCat("cannot append to the audit log '", path, "': ", std::strerror(errno)));
  }
  return std::unique_ptr<AuditLog>(new AuditLog(path, fd));
}

AuditLog::~AuditLog() { close(fd_); }

void AuditLog::Write(const AuditRecord& record) {
  const std::string line = AuditLine(record);
  absl::MutexLock lock(&mutex_);
  ssize_t written;
  do {
    written = write(fd_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  const bool failed = written != static_cast<ssize_t>(line.size());
  if (failed && !failing_) {
    spdlog::error("audit log '{}': {}", path_, written < 0 ? std::strerror(errno) : "disk full");
  }
  failing_ = failed;
}

}  // namespace steer
