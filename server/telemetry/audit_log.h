// One JSON line a call: who asked for what kind of work, how much of it, and how it ended. It has
// no field for text, and strings of a request get in only if they have passed a format check (a
// UUID, a digest), so that a prompt sent in the wrong field cannot reach the file.
#ifndef STEER_SERVER_TELEMETRY_AUDIT_LOG_H_
#define STEER_SERVER_TELEMETRY_AUDIT_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace steer {

struct AuditRecord {
  absl::Time time;          // arrival
  std::string method;       // "Evaluate"
  std::string request_id;   // UUID, or empty
  std::string plan_digest;  // 64 hex digits, or empty
  std::string set_id;       // 64 hex digits, or empty
  std::string peer;         // as gRPC writes it, "ipv4:127.0.0.1:4711"
  std::string purpose;      // "select", "test", "explore", or empty
  bool validate_only = false;
  std::map<std::string, int64_t> counts;         // "prompts", "arms", "rows", ...
  std::map<std::string, int64_t> interventions;  // op kind -> ops in the request, "add_control"
  std::string code;                              // "OK", "InvalidArgument"
  std::string reason;                            // ErrorInfo.reason, or empty
  double seconds = 0;
};

// The line, newline included.
std::string AuditLine(const AuditRecord& record);

// An append-only file, readable by its owner alone. Thread-safe.
class AuditLog {
 public:
  // FAILED_PRECONDITION naming the path if it cannot be opened for appending.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const std::string& path);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // One write call a line, so that lines never mix. A failed write is logged (once until one works
  // again) and does not fail the call.
  void Write(const AuditRecord& record);

 private:
  AuditLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  const std::string path_;
  const int fd_;
  absl::Mutex mutex_;
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace steer

#endif  // STEER_SERVER_TELEMETRY_AUDIT_LOG_H_
