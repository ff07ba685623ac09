// cells.jsonl: the append-only log of everything a run has measured. One record per line,
//   {"key": ..., "observed": {...}, "payload": {...}, "schema": "steer-cell-1", "sha256": ...}
// in canonical form; sha256 covers the line without itself. `payload` is what the result depends
// on: the same cell measured twice has the same payload. `observed` (clocks, steps) may differ and
// is never read for a result. A record is on the disk (fdatasync) before Append returns.
//
// A record whose payload has "supersedes": P takes back every earlier record whose key starts with
// P, but for those that supersede themselves: they stay in the file, and nobody sees them. P must be
// a beginning of the record's own key that ends in '/'. The same keys may then be measured again.
#ifndef STEER_CLIENT_RUN_RESULT_LOG_H_
#define STEER_CLIENT_RUN_RESULT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/json.h"

namespace steer {

inline constexpr char kRecordSchema[] = "steer-cell-1";
// Field of a payload that takes earlier records back.
inline constexpr char kSupersedes[] = "supersedes";
// Reason of errors in writing results: the disk is full, read-only or failing.
inline constexpr char kDiskReason[] = "DISK";

struct Record {
  std::string key;
  Json payload;
  Json observed = Json::object();
};

// The status with reason DISK, its message prefixed with what was being done.
absl::Status DiskError(const absl::Status& status, absl::string_view doing);

// What a log file holds.
struct LogContents {
  std::vector<Record> records;  // in the order written, without those that were taken back
  int64_t bytes = 0;            // of whole records
  int64_t torn_bytes = 0;       // after them: a record that a crash cut off
  // Number of the first line that ResultLog would not have written so: the same record in other
  // bytes, or one that was there already. 0: none.
  int64_t odd_line = 0;
};

// NOT_FOUND if there is no file. DATA_LOSS (reason LOG_DAMAGED) naming the line: a line that is no
// record, a wrong checksum, an unknown schema, a key written twice with different payloads, a
// superseded prefix that is not the record's own. Only the last line may be torn.
absl::StatusOr<LogContents> ReadResultLog(const std::string& path);
// The same of a file's bytes; `name` stands in errors.
absl::StatusOr<LogContents> ParseResultLog(absl::string_view bytes, absl::string_view name);

// Records by key, as the rules above leave them. Not thread-safe.
class LiveRecords {
 public:
  // Null if there is none, or it was taken back. Valid as long as this object.
  const Record* Find(absl::string_view key) const;
  // The key must be free. False, and nothing added, if the record supersedes what is not its own.
  bool Add(Record record);
  // In the order added.
  std::vector<std::reference_wrapper<const Record>> InOrder() const;
  // The same, moved out.
  std::vector<Record> TakeInOrder() &&;
  // Those whose key starts with `prefix`, in the order added; time grows with their number alone.
  std::vector<std::reference_wrapper<const Record>> Under(absl::string_view prefix) const;

 private:
  struct Entry {
    Record record;
    bool live = true;
  };
  std::deque<Entry> entries_;  // addresses stay
  std::map<std::string, size_t, std::less<>> by_key_;
};

// One writer a file (RunFolder's lock sees to it). Thread-safe: seeds on several servers share it.
class ResultLog {
 public:
  // Creates the file, or reads it and cuts off a torn tail.
  static absl::StatusOr<std::unique_ptr<ResultLog>> Open(const std::string& path);
  // A log that is only looked at: no file, and every Append fails.
  static std::unique_ptr<ResultLog> ReadOnly(LogContents contents);
  ~ResultLog();
  ResultLog(const ResultLog&) = delete;
  ResultLog& operator=(const ResultLog&) = delete;

  // Null if there is none. Valid as long as the log, also once another record took it back.
  const Record* Find(absl::string_view key) const;
  // As they stand now.
  std::vector<std::reference_wrapper<const Record>> records() const;
  // Those whose key starts with `prefix`, "seed-3/" say: a log of many cells is not searched for each seed anew.
  std::vector<std::reference_wrapper<const Record>> records(absl::string_view prefix) const;
  int64_t torn_bytes() const { return torn_bytes_; }

  // Writes and syncs. OK without writing if the key is there with an equal payload; DATA_LOSS
  // (reason CELL_CONFLICT) if with another. Errors of the disk carry reason DISK, leave no partial
  // line where that can be helped, and are final: every later Append fails, since a file whose sync
  // failed must be read anew.
  absl::Status Append(Record record);

 private:
  ResultLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status WriteLine(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const int fd_;  // -1: read only
  int64_t torn_bytes_ = 0;
  mutable absl::Mutex mutex_;
  LiveRecords live_ ABSL_GUARDED_BY(mutex_);
  int64_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_RESULT_LOG_H_
