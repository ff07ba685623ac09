// client/run: a result log and its records. An input that starts with "seal\n" is lines of records without their checksums, which are put in
// here; any other input is a file as it stands.
#include "client/run/result_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/run/records.h"
#include "common/digest.h"
#include "tests/fuzz/check.h"

namespace {

// A file in memory: the reader wants a path.
std::string PathOf(absl::string_view bytes) {
  static const int fd = memfd_create("log", MFD_CLOEXEC);
  FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
  FUZZ_CHECK(pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return absl::StrCat("/proc/self/fd/", fd);
}

std::string FileOf(absl::string_view input) {
  if (!absl::ConsumePrefix(&input, "seal\n")) return std::string(input);
  std::string file;
  for (const absl::string_view line : absl::StrSplit(input, '\n')) {
    auto record = steer::ParseJson(line);
    if (!record.ok() || !record->is_object()) {
      absl::StrAppend(&file, line, "\n");
      continue;
    }
    record->erase("sha256");
    (*record)["sha256"] = steer::Sha256Hex(record->dump());
    absl::StrAppend(&file, record->dump(), "\n");
  }
  file.pop_back();  // the last line of the input decides whether the file ends in a line end
  return file;
}

// What is read is written as it was read.
template <typename Parsed, typename Write>
void CheckRecord(const absl::StatusOr<Parsed>& parsed, const steer::Record& record,
                 const Write& write) {
  if (!parsed.ok()) {
    steer::fuzz::CheckRefusal(parsed.status(), record.key);
    FUZZ_CHECK(absl::IsDataLoss(parsed.status()));
    return;
  }
  const steer::Record written = write(*parsed);
  for (const auto& [key, value] : written.payload.items()) {
    if (!record.payload.contains(key)) std::fprintf(stderr, "key %s\n", key.c_str());
    FUZZ_CHECK(key == "kind" || record.payload.contains(key));
    // Nested objects may hold more than is read.
    if (!value.is_structured())
      FUZZ_CHECK(key == "kind" || record.payload.at(key) == value || !value.is_number_integer());
  }
}

void CheckRecords(const steer::Record& r) {
  const steer::Json none = steer::Json::object();
  CheckRecord(steer::ParseFit(r), r, [&](const auto& fit) { return ToRecord(fit, none); });
  CheckRecord(steer::ParseCell(r), r, [&](const auto& cell) { return ToRecord(cell, none); });
  CheckRecord(steer::ParseSelection(r), r,
              [&](const auto& selection) { return ToRecord(selection); });
  CheckRecord(steer::ParseFailure(r), r,
              [&](const auto& failure) { return ToRecord(failure, none); });
  CheckRecord(steer::ParseRestart(r), r, [&](const auto& restart) { return ToRecord(restart); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = FileOf(steer::fuzz::Text(data, size));
  const std::string path = PathOf(bytes);
  const auto log = steer::ReadResultLog(path);
  if (!log.ok()) {
    steer::fuzz::CheckRefusal(log.status(), absl::StrCat(path, ":"));
    FUZZ_CHECK(absl::IsDataLoss(log.status()));
    return 0;
  }
  FUZZ_CHECK(log->bytes >= 0 && log->torn_bytes >= 0);
  FUZZ_CHECK(log->bytes + log->torn_bytes == static_cast<int64_t>(bytes.size()));
  for (const steer::Record& record : log->records) CheckRecords(record);
  if (log->torn_bytes == 0) return 0;
  // Without its torn tail the file is whole, and says the same.
  const auto whole = steer::ReadResultLog(
      PathOf(absl::string_view(bytes).substr(0, static_cast<size_t>(log->bytes))));
  FUZZ_CHECK(whole.ok() && whole->torn_bytes == 0 && whole->records.size() == log->records.size());
  return 0;
}
