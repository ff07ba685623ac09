// cells.jsonl: the append-only log of everything a run has measured. One record per line,
//   {"key": ..., "observed": {...}, "payload": {...}, "schema": "steer-cell-1", "sha256": ...}
// in canonical form; sha256 covers the line without itself. `payload` is what the result depends
// on: the same cell measured twice has the same payload. `observed` (clocks, steps) may differ and
// is never read for a result. A record is on the disk (fdatasync) before Append returns.
#ifndef STEER_CLIENT_RUN_RESULT_LOG_H_
#define STEER_CLIENT_RUN_RESULT_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"

namespace steer {

inline constexpr char kRecordSchema[] = "steer-cell-1";
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
  std::vector<Record> records;  // in the order written
  int64_t bytes = 0;            // of whole records
  int64_t torn_bytes = 0;       // after them: a record that a crash cut off
};

// NOT_FOUND if there is no file. DATA_LOSS (reason LOG_DAMAGED) naming the line: a line that is no
// record, a wrong checksum, an unknown schema, a key written twice with different payloads. Only
// the last line may be torn.
absl::StatusOr<LogContents> ReadResultLog(const std::string& path);

// One writer a file (RunFolder's lock sees to it). Not thread-safe.
class ResultLog {
 public:
  // Creates the file, or reads it and cuts off a torn tail.
  static absl::StatusOr<std::unique_ptr<ResultLog>> Open(const std::string& path);
  ~ResultLog();
  ResultLog(const ResultLog&) = delete;
  ResultLog& operator=(const ResultLog&) = delete;

  // Null if there is none. Valid until the next Append.
  const Record* Find(absl::string_view key) const;
  const std::vector<Record>& records() const { return records_; }
  int64_t torn_bytes() const { return torn_bytes_; }

  // Writes and syncs. OK without writing if the key is there with an equal payload; DATA_LOSS
  // (reason CELL_CONFLICT) if with another. Errors of the disk carry reason DISK, leave no partial
  // line where that can be helped, and are final: every later Append fails, since a file whose sync
  // failed must be read anew.
  absl::Status Append(Record record);

 private:
  ResultLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status WriteLine(const std::string& line);

  const std::string path_;
  const int fd_;
  std::vector<Record> records_;
  std::map<std::string, size_t, std::less<>> by_key_;
  int64_t size_ = 0;
  int64_t torn_bytes_ = 0;
  bool broken_ = false;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_RESULT_LOG_H_
