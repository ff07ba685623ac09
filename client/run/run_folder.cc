#include "client/run/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/run/result_log.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

constexpr char kHolderFile[] = ".writer";
// The names of RunPaths: what a crash in the middle of writing them may have left is
// "<name>.tmp.*".
constexpr const char* kOutputs[] = {"lock.json",  "run.json",   "summary.json", "verdict.json",
                                    "figure.svg", "figure.png", "report.html"};

// What a crash left of a set that was being written.
void TidySets(const std::string& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (SetEntryKind(it->path().filename().string()) == FolderEntry::kLeftover)
      fs::remove(it->path(), ignored);
  }
}

// Removes leftovers; true in *others if anything else than the holder's file remains.
absl::Status Tidy(const std::string& folder, bool* others) {
  *others = false;
  TidySets(RunPaths(folder).sets);
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (EntryKind(name) == FolderEntry::kLeftover) {
      std::error_code ignored;
      fs::remove(it->path(), ignored);
    } else if (name != kHolderFile) {
      *others = true;
    }
  }
  if (error) return DiskError(absl::ErrnoToStatus(error.value(), folder), "cannot read the folder");
  return absl::OkStatus();
}

std::string Join(const std::string& folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

// Names the writer where it has left its name.
absl::Status InUse(const std::string& folder, absl::string_view otherwise,
                   absl::string_view advice) {
  auto text = ReadFile(Join(folder, kHolderFile), 4096);
  const bool named = text.ok() && !text->empty();
  return MakeError(absl::StatusCode::kAborted, "FOLDER_IN_USE",
                   absl::StrCat(folder, " ", named ? "is being written by " : otherwise,
                                named ? absl::StripSuffix(*text, "\n") : "", advice));
}

}  // namespace

RunPaths::RunPaths(const std::string& folder)
    : lock(Join(folder, "lock.json")),
      log(Join(folder, "cells.jsonl")),
      run(Join(folder, "run.json")),
      summary(Join(folder, "summary.json")),
      verdict(Join(folder, "verdict.json")),
      figure_svg(Join(folder, "figure.svg")),
      figure_png(Join(folder, "figure.png")),
      report(Join(folder, "report.html")),
      sets(Join(folder, "sets")) {}

FolderEntry EntryKind(absl::string_view name) {
  if (name == kHolderFile || name == "cells.jsonl" || name == "sets") return FolderEntry::kOfRun;
  for (const char* output : kOutputs) {
    if (name == output) return FolderEntry::kOfRun;
    if (absl::StartsWith(name, absl::StrCat(output, ".tmp."))) return FolderEntry::kLeftover;
  }
  return FolderEntry::kOther;
}

FolderEntry SetEntryKind(absl::string_view name) {
  if (absl::StrContains(name, ".safetensors.tmp.")) return FolderEntry::kLeftover;
  const bool set = absl::ConsumeSuffix(&name, ".safetensors") && IsSha256Hex(name);
  return set ? FolderEntry::kOfRun : FolderEntry::kOther;
}

absl::StatusOr<std::unique_ptr<FolderHold>> FolderHold::Take(const std::string& folder) {
  const int fd = open(Join(folder, kHolderFile).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    close(fd);
    if (taken) return InUse(folder, "is being written by another process", "; wait for it");
    return std::unique_ptr<FolderHold>(new FolderHold(-1));
  }
  return std::unique_ptr<FolderHold>(new FolderHold(fd));
}

FolderHold::~FolderHold() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Take(const std::string& folder) {
  std::string holder = Join(folder, kHolderFile);
  // Not through a link: what it led to would be emptied.
  int fd = open(holder.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return DiskError(absl::ErrnoToStatus(errno, holder), "cannot lock the folder");
  std::unique_ptr<RunFolder> taken(new RunFolder(folder, fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    // Readers leave no text.
    return InUse(folder, "is being looked at by another process",
                 "; wait for it, or name another folder with --output");
  }
  std::string text =
      absl::StrCat("steerctl, process ", getpid(), ", since ",
                   absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone()), "\n");
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) < 0) {
    return DiskError(absl::ErrnoToStatus(errno, holder), "cannot lock the folder");
  }
  return taken;
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Open(const std::string& folder,
                                                           const Lock& lock) {
  absl::Status made = MakeFolders(folder);
  if (!made.ok()) return DiskError(made, "cannot make the run folder (--output names another)");
  STEER_ASSIGN_OR_RETURN(std::unique_ptr<RunFolder> taken, Take(folder));
  bool others = false;
  STEER_RETURN_IF_ERROR(Tidy(folder, &others));
  const std::string& path = taken->paths().lock;
  auto held = ReadFile(path);
  if (held.ok()) {
    if (*held == lock.canonical) return taken;
    return MakeError(absl::StatusCode::kFailedPrecondition, "FOLDER_OF_ANOTHER_LOCK",
                     absl::StrCat(path, " is not the lock given (digest ", lock.digest,
                                  "): one folder holds one lock; name another with --output"));
  }
  if (held.status().code() != absl::StatusCode::kNotFound) return held.status();
  if (others) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "NOT_A_RUN_FOLDER",
        absl::StrCat(folder,
                     " holds files but no lock.json: name an empty or new folder with --output"));
  }
  absl::Status copied = WriteFileAtomically(path, lock.canonical, "run.lock_copy");
  if (!copied.ok()) return DiskError(copied, "cannot copy the lock");
  return taken;
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::OpenExisting(const std::string& folder) {
  if (!fs::exists(RunPaths(folder).lock)) {
    return MakeError(absl::StatusCode::kNotFound, "NOT_A_RUN_FOLDER",
                     absl::StrCat(folder, " holds no lock.json: name a folder that `run` wrote"));
  }
  STEER_ASSIGN_OR_RETURN(std::unique_ptr<RunFolder> taken, Take(folder));
  bool others = false;
  STEER_RETURN_IF_ERROR(Tidy(folder, &others));
  return taken;
}

RunFolder::~RunFolder() {
  // Emptied, not removed: another process may hold it open and wait for it.
  if (ftruncate(fd_, 0) != 0) {
    // The text is only a courtesy; the lock itself ends with the descriptor.
  }
  close(fd_);
}

}  // namespace steer
