#include "client/run/result_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/failpoint.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr int64_t kMaxLogBytes = int64_t{4} << 30;

absl::Status Damaged(absl::string_view path, int64_t line, absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "LOG_DAMAGED",
                   absl::StrCat(path, ":", line, ": ", what,
                                "; the run cannot be trusted: move the folder away and run again"));
}

// The line of a record whose JSON without a checksum is `bare`. The checksum's key is the last one of the line.
std::string Seal(absl::string_view bare, absl::string_view sha256) {
  return absl::StrCat(bare.substr(0, bare.size() - 1), ",\"sha256\":\"", sha256, "\"}");
}

absl::StatusOr<std::string> Encode(const Record& record) {
  const Json line = {{"schema", kRecordSchema},
                     {"key", record.key},
                     {"payload", record.payload},
                     {"observed", record.observed}};
  STEER_ASSIGN_OR_RETURN(const std::string bare, CanonicalJson(line));
  return Seal(bare, Sha256Hex(bare)) + "\n";
}

// `parses` tells a torn line from a damaged one; `exact` whether Encode would give these bytes.
absl::StatusOr<Record> Decode(absl::string_view text, bool* parses, bool* exact) {
  *parses = false;
  STEER_ASSIGN_OR_RETURN(Json line, ParseJson(text));
  if (!line.is_object()) return absl::DataLossError("not an object");
  *parses = true;
  STEER_ASSIGN_OR_RETURN(std::string schema, JsonString(line, "schema", "record"));
  if (schema != kRecordSchema) {
    return absl::DataLossError(absl::StrCat("schema '", schema, "' is not ", kRecordSchema));
  }
  STEER_ASSIGN_OR_RETURN(std::string sha256, JsonString(line, "sha256", "record"));
  Record record;
  STEER_ASSIGN_OR_RETURN(record.key, JsonString(line, "key", "record"));
  line.erase("sha256");
  const std::string bare = line.dump();  // cannot fail: what was parsed can be written
  if (Sha256Hex(bare) != sha256) return absl::DataLossError("the checksum does not match");
  *exact = text == Seal(bare, sha256);
  if (!line.contains("payload") || !line["payload"].is_object() || line.size() != 4 ||
      !line["observed"].is_object()) {
    return absl::DataLossError("not a record");
  }
  record.payload = std::move(line["payload"]);
  record.observed = std::move(line["observed"]);
  return record;
}

}  // namespace

absl::Status DiskError(const absl::Status& status, absl::string_view doing) {
  if (status.ok()) return status;
  return MakeError(status.code(), kDiskReason, absl::StrCat(doing, ": ", status.message()));
}

absl::StatusOr<LogContents> ReadResultLog(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxLogBytes));
  return ParseResultLog(bytes, path);
}

absl::StatusOr<LogContents> ParseResultLog(absl::string_view bytes, absl::string_view name) {
  LogContents contents;
  LiveRecords live;
  size_t at = 0;
  for (int64_t number = 1; at < bytes.size(); ++number) {
    size_t end = bytes.find('\n', at);
    bool last = end == absl::string_view::npos || end + 1 == bytes.size();
    if (end == absl::string_view::npos) break;
    bool parses = false, exact = false;
    absl::StatusOr<Record> record = Decode(bytes.substr(at, end - at), &parses, &exact);
    if (!record.ok()) {
      if (last && !parses) break;
      return Damaged(name, number, record.status().message());
    }
    const Record* held = live.Find(record->key);
    if (held != nullptr && held->payload != record->payload) {
      return Damaged(
          name, number,
          absl::StrCat("key ", record->key, " stands there twice with different payloads"));
    }
    if (contents.odd_line == 0 && (!exact || held != nullptr)) contents.odd_line = number;
    if (held == nullptr && !live.Add(*std::move(record))) {
      return Damaged(name, number, "takes back what is not its own");
    }
    at = end + 1;
  }
  contents.records = std::move(live).TakeInOrder();
  contents.bytes = static_cast<int64_t>(at);
  contents.torn_bytes = static_cast<int64_t>(bytes.size() - at);
  return contents;
}

absl::StatusOr<std::unique_ptr<ResultLog>> ResultLog::Open(const std::string& path) {
  bool exists = std::filesystem::exists(path);
  LogContents contents;
  if (exists) {
    STEER_ASSIGN_OR_RETURN(contents, ReadResultLog(path));
  }
  // Not through a link: results belong into the run folder and nowhere else.
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return DiskError(absl::ErrnoToStatus(errno, path), "cannot open the result log");
  std::unique_ptr<ResultLog> log(new ResultLog(path, fd));
  if (contents.torn_bytes > 0 && (ftruncate(fd, contents.bytes) != 0 || fdatasync(fd) != 0)) {
    return DiskError(absl::ErrnoToStatus(errno, path), "cannot cut off a torn record");
  }
  if (!exists) {
    std::string folder = std::filesystem::path(path).parent_path().string();
    absl::Status synced = SyncFolder(folder.empty() ? "." : folder);
    if (!synced.ok()) return DiskError(synced, "cannot create the result log");
  }
  log->torn_bytes_ = contents.torn_bytes;
  absl::MutexLock lock(&log->mutex_);
  log->size_ = contents.bytes;
  for (Record& record : contents.records) log->live_.Add(std::move(record));
  return log;
}

std::unique_ptr<ResultLog> ResultLog::ReadOnly(LogContents contents) {
  std::unique_ptr<ResultLog> log(new ResultLog("a log that is only read", -1));
  log->torn_bytes_ = contents.torn_bytes;
  absl::MutexLock lock(&log->mutex_);
  for (Record& record : contents.records) log->live_.Add(std::move(record));
  return log;
}

ResultLog::~ResultLog() {
  if (fd_ >= 0) close(fd_);
}

const Record* LiveRecords::Find(absl::string_view key) const {
  auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : &entries_[it->second].record;
}

bool LiveRecords::Add(Record record) {
  auto superseded = record.payload.find(kSupersedes);
  if (superseded != record.payload.end()) {
    if (!superseded->is_string()) return false;
    const std::string prefix = superseded->get<std::string>();
    if (!absl::EndsWith(prefix, "/") || !absl::StartsWith(record.key, prefix)) return false;
    auto it = by_key_.lower_bound(prefix);
    while (it != by_key_.end() && absl::StartsWith(it->first, prefix)) {
      Entry& entry = entries_[it->second];
      entry.live = entry.record.payload.contains(kSupersedes);
      it = entry.live ? std::next(it) : by_key_.erase(it);
    }
  }
  by_key_[record.key] = entries_.size();
  entries_.push_back({std::move(record)});
  return true;
}

std::vector<std::reference_wrapper<const Record>> LiveRecords::InOrder() const {
  std::vector<std::reference_wrapper<const Record>> records;
  for (const Entry& entry : entries_) {
    if (entry.live) records.emplace_back(entry.record);
  }
  return records;
}

std::vector<Record> LiveRecords::TakeInOrder() && {
  std::vector<Record> records;
  for (Entry& entry : entries_) {
    if (entry.live) records.push_back(std::move(entry.record));
  }
  return records;
}

std::vector<std::reference_wrapper<const Record>> LiveRecords::Under(
    absl::string_view prefix) const {
  std::vector<size_t> places;
  for (auto it = by_key_.lower_bound(prefix);
       it != by_key_.end() && absl::StartsWith(it->first, prefix); ++it) {
    places.push_back(it->second);
  }
  std::sort(places.begin(), places.end());
  std::vector<std::reference_wrapper<const Record>> records;
  for (const size_t place : places) records.emplace_back(entries_[place].record);
  return records;
}

const Record* ResultLog::Find(absl::string_view key) const {
  absl::MutexLock lock(&mutex_);
  return live_.Find(key);
}

std::vector<std::reference_wrapper<const Record>> ResultLog::records() const {
  absl::MutexLock lock(&mutex_);
  return live_.InOrder();
}

std::vector<std::reference_wrapper<const Record>> ResultLog::records(
    absl::string_view prefix) const {
  absl::MutexLock lock(&mutex_);
  return live_.Under(prefix);
}

absl::Status ResultLog::Append(Record record) {
  absl::MutexLock lock(&mutex_);
  if (fd_ < 0) return absl::FailedPreconditionError("the log is only read");
  if (broken_) {
    return MakeError(absl::StatusCode::kFailedPrecondition, kDiskReason,
                     absl::StrCat(path_, " failed before; run again to read it anew"));
  }
  if (const Record* held = live_.Find(record.key)) {
    if (held->payload == record.payload) return absl::OkStatus();
    return MakeError(absl::StatusCode::kDataLoss, "CELL_CONFLICT",
                     absl::StrCat(record.key,
                                  " was measured before with another result: the server "
                                  "does not compute what it did; start a new folder"));
  }
  STEER_ASSIGN_OR_RETURN(std::string line, Encode(record));
  STEER_RETURN_IF_ERROR(DiskError(Failpoint("run.log.before_append"), "cannot write a result"));
  absl::Status written = WriteLine(line);
  if (!written.ok()) {
    broken_ = true;
    // Best effort: a half-written line would be cut off at the next start anyway.
    return ftruncate(fd_, size_) == 0 ? written : Annotate(written, "half a record is left");
  }
  size_ += static_cast<int64_t>(line.size());
  if (!live_.Add(std::move(record))) return absl::InternalError("takes back what is not its own");
  return DiskError(Failpoint("run.log.after_append"), "cannot write a result");
}

absl::Status ResultLog::WriteLine(const std::string& line) {
  size_t half = line.size() / 2;
  size_t done = 0;
  while (done < line.size()) {
    // In two pieces, so that tests can cut a record in the middle.
    size_t end = done < half ? half : line.size();
    ssize_t n = write(fd_, line.data() + done, end - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return DiskError(absl::ErrnoToStatus(errno, path_), "cannot write a result");
    done += static_cast<size_t>(n);
    if (done == half)
      STEER_RETURN_IF_ERROR(DiskError(Failpoint("run.log.mid_append"), "cannot write a result"));
  }
  STEER_RETURN_IF_ERROR(DiskError(Failpoint("run.log.before_sync"), "cannot sync a result"));
  if (fdatasync(fd_) != 0) {
    return DiskError(absl::ErrnoToStatus(errno, path_), "cannot sync a result");
  }
  return absl::OkStatus();
}

}  // namespace steer
