// One JSON line a call: who asked for what kind of work, how much of it, and how it ended. It has
// no field for text, and strings of a request get in only if they have passed a format check (a
// UUID, a digest), so that a prompt sent in the wrong field cannot reach the file.
#ifndef STEER_SERVER_TELEMETRY_AUDIT_LOG_H_
#define STEER_SERVER_TELEMETRY_AUDIT_LOG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
  std::string token;        // name in the tokens file, or empty
  std::string certificate;  // subject of the client's verified certificate, or empty
  std::string purpose;      // "select", "test", "explore", or empty
  std::string readout;      // name of a readout of this build, or empty
  // SHA-256 of the readout's phrases and of the refusal ids in use ("phrases", "refusal_ids").
  std::map<std::string, std::string> digests;
  bool validate_only = false;
  std::map<std::string, int64_t> counts;         // "prompts", "arms", "rows", ...
  std::map<std::string, int64_t> interventions;  // op kind -> ops in the request, "add_control"
  std::string code;                              // "OK", "InvalidArgument"
  std::string reason;                            // ErrorInfo.reason, or empty
  double seconds = 0;
};

// One JSON object on one line, not yet in the chain.
std::string AuditObject(const AuditRecord& record);

// An append-only file, readable by its owner alone, whose lines are a hash chain
// (common/audit_chain.h) that goes on over restarts. Thread-safe.
//
// Rotation: rename the file; the next record opens a new one under the old name, whose first line
// goes on with the chain. (A server that is started while there is no file begins a new chain.)
// Lines reach the operating system before the call's reply does; they are not synced, so a power
// loss may take the last ones.
class AuditLog {
 public:
  // `on_record` (may be empty) hears of each record: written or not.
  //
  // What a crash cut off at the end of the file stays there, and a line that says so follows it.
  // FAILED_PRECONDITION naming the path: it cannot be opened for appending, another process writes
  // it (AUDIT_LOG_IN_USE), or its last whole line is not of a chain (AUDIT_LOG_DAMAGED).
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(
      const std::string& path, std::function<void(bool written)> on_record = nullptr);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // A failed write is logged (once until one works again) and does not fail the call.
  void Write(const AuditRecord& record);

  // Hash of the last line. Kept elsewhere, it shows a log that was cut or written anew.
  std::string head() const;

 private:
  AuditLog(std::string path, std::function<void(bool)> on_record)
      : path_(std::move(path)), on_record_(std::move(on_record)) {}
  // Opens path_ and takes up its chain; an empty file goes on with head_.
  absl::Status Attach() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Append(absl::string_view object) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StillAtPath() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const std::function<void(bool)> on_record_;
  mutable absl::Mutex mutex_;
  int fd_ ABSL_GUARDED_BY(mutex_) = -1;
  std::string head_ ABSL_GUARDED_BY(mutex_);
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace steer

#endif  // STEER_SERVER_TELEMETRY_AUDIT_LOG_H_
