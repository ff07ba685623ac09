// The folder of one run: who may write in it, and what belongs there.
//   lock.json  the lock it was started with       cells.jsonl  the result log
//   sets/      fitted sets of a run on several servers, <content digest>.safetensors
//   run.json   clocks and hosts                    summary.json, verdict.json, figure.svg,
//   figure.png, report.html  made from the first two
#ifndef STEER_CLIENT_RUN_RUN_FOLDER_H_
#define STEER_CLIENT_RUN_RUN_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/plan/lock.h"

namespace steer {

struct RunPaths {
  explicit RunPaths(const std::string& folder);
  std::string lock, log, run, summary, verdict, figure_svg, figure_png, report, sets;
};

// What a name in a run folder is.
enum class FolderEntry {
  kOfRun,     // one of RunPaths, or the writer's lock
  kLeftover,  // what a crash in the middle of a write left; the next writer removes it
  kOther,     // nothing of ours
};
FolderEntry EntryKind(absl::string_view name);
// The same for a name in its sets/.
FolderEntry SetEntryKind(absl::string_view name);

// Holds the folder for one writer as long as it lives. Thread-compatible.
class RunFolder {
 public:
  // Makes the folder if need be, takes its writer's lock, and puts the lock's copy there. ABORTED
  // (reason FOLDER_IN_USE) naming the holder; FAILED_PRECONDITION (reason FOLDER_OF_ANOTHER_LOCK)
  // if it was started with another lock, (reason NOT_A_RUN_FOLDER) if it holds anything else but no
  // lock; reason DISK if it cannot be written.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Open(const std::string& folder,
                                                         const Lock& lock);
  // Takes the writer's lock of a folder that was run in: for `report`.
  static absl::StatusOr<std::unique_ptr<RunFolder>> OpenExisting(const std::string& folder);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const RunPaths& paths() const { return paths_; }

 private:
  RunFolder(const std::string& folder, int fd) : paths_(folder), fd_(fd) {}
  static absl::StatusOr<std::unique_ptr<RunFolder>> Take(const std::string& folder);

  const RunPaths paths_;
  const int fd_;
};

// Keeps writers out for as long as it lives, without writing: for commands that only look. Several
// may hold a folder at once. Thread-compatible.
class FolderHold {
 public:
  // ABORTED (reason FOLDER_IN_USE) naming the writer. OK also where no writer can be kept out since
  // the folder has no writer's lock that we may open (a copy, say): see held().
  static absl::StatusOr<std::unique_ptr<FolderHold>> Take(const std::string& folder);
  ~FolderHold();
  FolderHold(const FolderHold&) = delete;
  FolderHold& operator=(const FolderHold&) = delete;

  bool held() const { return fd_ >= 0; }

 private:
  explicit FolderHold(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_RUN_FOLDER_H_
