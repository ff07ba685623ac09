#include "server/telemetry/audit_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "absl/time/clock.h"
#include "common/audit_chain.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

// What is read of an existing file: longer than any line and the piece of one behind it.
constexpr int64_t kTailBytes = 1 << 20;

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

absl::Status Unavailable(const std::string& path, absl::string_view reason,
                         absl::string_view what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason,
                   absl::StrCat("audit log '", path, "': ", what));
}

// The end of the file, at most kTailBytes; whole if `*whole`.
std::string ReadTail(int fd, bool* whole) {
  const int64_t size = std::max<int64_t>(0, lseek(fd, 0, SEEK_END));
  const int64_t from = std::max<int64_t>(0, size - kTailBytes);
  *whole = from == 0;
  std::string tail(static_cast<size_t>(size - from), '\0');
  const ssize_t got = pread(fd, tail.data(), tail.size(), from);
  tail.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
  return tail;
}

bool IsFile(int fd) {
  struct stat facts = {};
  fstat(fd, &facts);
  return S_ISREG(facts.st_mode);
}

// False with errno if nothing has been written.
bool WriteAll(int fd, absl::string_view bytes) {
  ssize_t written;
  do {
    written = write(fd, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(bytes.size())) return true;
  // Part of a line (the disk is full): taken back where that is allowed.
  if (written > 0) {
    const off_t end = lseek(fd, 0, SEEK_END);
    if (ftruncate(fd, end - written) != 0) {
      spdlog::error("audit log: a line that was cut off cannot be taken back");
    }
    errno = ENOSPC;
  }
  return false;
}

}  // namespace

std::string AuditObject(const AuditRecord& record) {
  OrderedJson line;
  line["time"] = TimeText(record.time);
  line["method"] = record.method;
  const auto add = [&line](const char* key, const std::string& value) {
    if (!value.empty()) line[key] = value;
  };
  add("request_id", record.request_id);
  add("plan_digest", record.plan_digest);
  add("set_id", record.set_id);
  add("peer", record.peer);
  add("token", record.token);
  add("certificate", record.certificate);
  add("purpose", record.purpose);
  add("readout", record.readout);
  if (!record.digests.empty()) line["digests"] = record.digests;
  if (record.validate_only) line["validate_only"] = true;
  if (!record.counts.empty()) line["counts"] = record.counts;
  if (!record.interventions.empty()) line["interventions"] = record.interventions;
  line["code"] = record.code;
  add("reason", record.reason);
  line["seconds"] = record.seconds;
  // Replace rather than throw: `peer` and `certificate` come from the transport.
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path,
                                                         std::function<void(bool)> on_record) {
  std::unique_ptr<AuditLog> log(new AuditLog(path, std::move(on_record)));
  absl::MutexLock lock(&log->mutex_);
  log->head_ = kAuditChainStart;
  STEER_RETURN_IF_ERROR(log->Attach());
  return log;
}

AuditLog::~AuditLog() {
  absl::MutexLock lock(&mutex_);
  if (fd_ >= 0) close(fd_);
}

absl::Status AuditLog::Attach() {
  // First: our own lock would refuse us.
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  const int fd = open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd >= 0 && !IsFile(fd)) {
    close(fd);
    return Unavailable(path_, "AUDIT_LOG_UNAVAILABLE", "is not a file");
  }
  if (fd < 0) {
    return Unavailable(path_, "AUDIT_LOG_UNAVAILABLE",
                       absl::StrCat("cannot be opened for appending: ", std::strerror(errno)));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return Unavailable(path_, "AUDIT_LOG_IN_USE", "another server writes it");
  }
  bool whole = true;
  const std::string tail = ReadTail(fd, &whole);
  const size_t last_end = tail.rfind('\n');
  const absl::string_view piece =
      absl::string_view(tail).substr(last_end == std::string::npos ? 0 : last_end + 1);
  absl::optional<AuditLink> last;
  if (last_end != std::string::npos) {
    const size_t begin = last_end == 0 ? std::string::npos : tail.rfind('\n', last_end - 1);
    const size_t first = begin == std::string::npos ? 0 : begin + 1;
    last = ReadAuditLink(absl::string_view(tail).substr(first, last_end - first));
  }
  if ((last_end != std::string::npos || !whole) && !last) {
    close(fd);
    return Unavailable(path_, "AUDIT_LOG_DAMAGED",
                       "its last line is not as a server wrote it; keep it aside under another "
                       "name (`steerctl audit verify` names the first bad line)");
  }
  fd_ = fd;
  if (last) head_ = last->hash;
  if (piece.empty()) return absl::OkStatus();
  if (!WriteAll(fd_, "\n")) {
    return Unavailable(path_, "AUDIT_LOG_UNAVAILABLE", "cannot be appended to: is the disk full?");
  }
  // The line may be whole but for its end.
  const absl::optional<AuditLink> link = ReadAuditLink(piece);
  if (link && link->previous == head_) {
    head_ = link->hash;
    return absl::OkStatus();
  }
  spdlog::warn(
      "audit log '{}': its last line was cut off after {} bytes; a line that says so "
      "follows it",
      path_, piece.size());
  return Append(TornAuditObject(piece, TimeText(absl::Now())));
}

absl::Status AuditLog::Append(absl::string_view object) {
  std::string head = head_;
  const std::string line = absl::StrCat(SealAuditLine(object, &head), "\n");
  if (!WriteAll(fd_, line)) {
    return Unavailable(path_, "AUDIT_LOG_UNAVAILABLE", std::strerror(errno));
  }
  head_ = std::move(head);
  return absl::OkStatus();
}

bool AuditLog::StillAtPath() const {
  struct stat open_file = {}, at_path = {};
  fstat(fd_, &open_file);
  return stat(path_.c_str(), &at_path) == 0 &&
         std::tie(open_file.st_ino, open_file.st_dev) == std::tie(at_path.st_ino, at_path.st_dev);
}

void AuditLog::Write(const AuditRecord& record) {
  const std::string object = AuditObject(record);
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    // After a failed write the file's end is looked at anew, as after a crash.
    if (failing_ || !StillAtPath()) status = Attach();
    if (status.ok()) status = Append(object);
    if (!status.ok() && !failing_) spdlog::error("{}", std::string(status.message()));
    failing_ = !status.ok();
  }
  if (on_record_) on_record_(status.ok());
}

std::string AuditLog::head() const {
  absl::MutexLock lock(&mutex_);
  return head_;
}

}  // namespace steer
