#include "client/report/run_check.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/report/log_check.h"
#include "client/report/output_check.h"
#include "client/run/records.h"
#include "client/run/run_folder.h"
#include "client/run/scope.h"
#include "client/run/set_file.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxBytes = int64_t{4} << 30;

std::string Said(const absl::Status& status) { return std::string(status.message()); }

// In the order of their names.
std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// OK unless something that is to be read is no file: a pipe would be waited for.
absl::Status CheckKinds(const std::string& folder) {
  for (const std::string& name : NamesIn(folder)) {
    if (EntryKind(name) != FolderEntry::kOfRun) continue;
    std::error_code ignored;
    const fs::file_status status = fs::status(absl::StrCat(folder, "/", name), ignored);
    if (!fs::exists(status)) continue;
    if (name == "sets" ? fs::is_directory(status) : fs::is_regular_file(status)) continue;
    return MakeError(absl::StatusCode::kFailedPrecondition, "NOT_A_RUN_FOLDER",
                     absl::StrCat(folder, "/", name, " is not what `run` leaves under that name"));
  }
  return absl::OkStatus();
}

CheckResult CheckLockFile(const std::string& path, absl::optional<Lock>* out) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) {
    return {"lock.json", CheckState::kMissing, "nothing says what was to be run"};
  }
  absl::StatusOr<Lock> lock = text.ok() ? ParseLock(*text, "lock.json") : text.status();
  if (!lock.ok()) return {"lock.json", CheckState::kDiffers, Said(lock.status())};
  const bool exact = lock->canonical == *text;
  CheckResult check = {"lock.json", exact ? CheckState::kOk : CheckState::kDiffers,
                       exact ? absl::StrCat("digest ", lock->digest)
                             : "it says what was frozen, in other bytes than steerctl writes"};
  *out = *std::move(lock);
  return check;
}

CheckResult CheckLogFile(const std::string& path, std::unique_ptr<ResultLog>* out) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(bytes.status())) {
    return {"cells.jsonl", CheckState::kMissing, "nothing was measured, or the log is gone"};
  }
  absl::StatusOr<LogContents> contents =
      bytes.ok() ? ParseResultLog(*bytes, "cells.jsonl") : bytes.status();
  if (!contents.ok()) return {"cells.jsonl", CheckState::kDiffers, Said(contents.status())};
  const int64_t odd = contents->odd_line, torn = contents->torn_bytes, size = contents->bytes;
  *out = ResultLog::ReadOnly(*std::move(contents));
  if (odd > 0) {
    return {
        "cells.jsonl", CheckState::kDiffers,
        absl::StrCat("cells.jsonl:", odd, ": a record that steerctl did not write so, or twice")};
  }
  if (torn > 0) {
    return {"cells.jsonl", CheckState::kDiffers,
            absl::StrCat("its last record is cut off after ", torn,
                         " bytes; the same `run` measures it again"),
            CheckWeight::kUnfinished};
  }
  if (size == 0) {
    return {"cells.jsonl", CheckState::kMissing, "it is empty: nothing was measured",
            CheckWeight::kUnfinished};
  }
  return {"cells.jsonl", CheckState::kOk,
          absl::StrCat("the checksum of every record is right, ", size, " bytes")};
}

// The kept sets: whole, and the ones that the log's fits name.
void CheckSets(const std::string& folder, const CheckedRun& run, std::vector<CheckResult>* checks) {
  std::map<std::string, FitRecord> fits;
  bool restarted = false;
  if (run.log != nullptr) {
    for (const Record& record : run.log->records()) {
      restarted = restarted || KindOf(record) == "restart";
      if (KindOf(record) != "fit") continue;
      const auto fit = ParseFit(record);
      if (fit.ok()) fits[fit->content_digest] = *fit;
    }
  }
  for (const std::string& name : NamesIn(folder)) {
    const std::string what = absl::StrCat("sets/", name);
    if (SetEntryKind(name) != FolderEntry::kOfRun) {
      checks->push_back({what, CheckState::kNotChecked,
                         SetEntryKind(name) == FolderEntry::kLeftover
                             ? "left by a client that was killed"
                             : "it does not belong to a run; nothing vouches for it"});
      continue;
    }
    const std::string path = absl::StrCat(folder, "/", name);
    std::error_code ignored;
    const absl::StatusOr<std::string> bytes = fs::is_regular_file(path, ignored)
                                                  ? ReadFile(path, kMaxBytes)
                                                  : absl::DataLossError("it is no file");
    const absl::StatusOr<SetFacts> set = bytes.ok() ? ReadSetFile(*bytes) : bytes.status();
    absl::Status status = set.status();
    const std::string digest = name.substr(0, name.find('.'));
    if (status.ok() && set->content_digest != digest)
      status = absl::DataLossError("its content digest is not the one of its name");
    const auto fit = fits.find(digest);
    if (status.ok() && fit != fits.end()) status = CheckSetIsOf(*set, fit->second);
    if (status.ok() && fit == fits.end() && run.log != nullptr && !restarted)
      status = absl::DataLossError("no fit of the log names it");
    checks->push_back({what, status.ok() ? CheckState::kOk : CheckState::kDiffers,
                       !status.ok()        ? Said(status)
                       : fit != fits.end() ? absl::StrCat("the set of seed ", fit->second.seed)
                                           : "whole; of a seed that began anew elsewhere"});
  }
}

void CheckOthers(const std::string& folder, std::vector<CheckResult>* checks) {
  for (const std::string& name : NamesIn(folder)) {
    const FolderEntry kind = EntryKind(name);
    if (kind == FolderEntry::kOfRun) continue;
    checks->push_back(
        {name, CheckState::kNotChecked,
         kind == FolderEntry::kLeftover
             ? "left by a client that was killed; the next `run` or `report` removes it"
             : "it does not belong to a run; nothing vouches for it"});
  }
}

// Those whose lock or log cannot be read.
void NotChecked(const std::vector<const char*>& names, absl::string_view why,
                std::vector<CheckResult>* checks) {
  for (const char* name : names)
    checks->push_back({name, CheckState::kNotChecked, std::string(why)});
}

// All that follows from lock and log.
void CheckDerived(const RunPaths& paths, CheckedRun* run) {
  std::vector<CheckResult>* checks = &run->checks;
  for (CheckResult& check : CheckLog(*run->lock, *run->log)) checks->push_back(std::move(check));
  const absl::StatusOr<RunScope> scope = ScopeOf(*run->lock, *run->log);
  run->complete = scope.ok() && scope->complete;
  if (run->complete && run->log->torn_bytes() > 0) {
    // A crash tears a record that is missing then; here none is.
    (*checks)[1] = {"cells.jsonl", CheckState::kDiffers,
                    absl::StrCat(run->log->torn_bytes(), " bytes after its last record")};
  }
  absl::StatusOr<CheckedOutputs> outputs =
      CheckOutputs(*run->lock, *run->log, paths, run->complete);
  if (!outputs.ok()) {
    checks->push_back({"outputs", CheckState::kDiffers, Said(outputs.status())});
    return;
  }
  for (CheckResult& check : outputs->checks) checks->push_back(std::move(check));
  run->summary = std::move(outputs->summary);
  run->summary_bytes = std::move(outputs->summary_bytes);
}

// The numeric fingerprints of the cells.
std::set<std::string> FingerprintsOf(const ResultLog* log) {
  std::set<std::string> found;
  if (log == nullptr) return found;
  for (const Record& record : log->records()) {
    if (KindOf(record) != "cell") continue;
    const auto cell = ParseCell(record);
    if (cell.ok()) found.insert(cell->numeric_fingerprint);
  }
  return found;
}

}  // namespace

absl::StatusOr<CheckedRun> CheckRunFolder(const std::string& folder) {
  const RunPaths paths(folder);
  std::error_code ignored;
  if (!fs::exists(paths.lock, ignored) && !fs::exists(paths.log, ignored)) {
    return MakeError(absl::StatusCode::kNotFound, "NOT_A_RUN_FOLDER",
                     absl::StrCat(folder,
                                  " holds neither lock.json nor cells.jsonl: name a folder "
                                  "that `run` wrote"));
  }
  STEER_RETURN_IF_ERROR(CheckKinds(folder));
  const absl::StatusOr<std::unique_ptr<FolderHold>> hold = FolderHold::Take(folder);
  if (!hold.ok()) return hold.status();
  CheckedRun run;
  run.checks.push_back(CheckLockFile(paths.lock, &run.lock));
  run.checks.push_back(CheckLogFile(paths.log, &run.log));
  if (run.lock && run.log != nullptr) {
    CheckDerived(paths, &run);
  } else {
    NotChecked({"records", "fits", "cells", "receipts", "summary.json", "verdict.json",
                "figure.svg", "figure.png", "report.html"},
               "without lock and log nothing says what it must be", &run.checks);
  }
  run.checks.push_back(ReadProvenance(paths.run, FingerprintsOf(run.log.get()), &run.provenance));
  CheckSets(paths.sets, run, &run.checks);
  CheckOthers(folder, &run.checks);
  return run;
}

}  // namespace steer
