#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "server/planted/planted_model.h"

namespace steer::planted {
namespace {

namespace fs = std::filesystem;

// Lets the staging folder go on every way out.
class Staging {
 public:
  explicit Staging(std::string path) : path_(std::move(path)) {}
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Names in the folder, as a map to whether each holds the bytes that `files` has for it.
absl::StatusOr<std::map<std::string, bool>> Compare(const PlantedFiles& files,
                                                    const std::string& folder) {
  std::map<std::string, bool> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    bool& same = found[name];
    const auto wanted = files.find(name);
    if (wanted == files.end() || !it->is_regular_file(error)) continue;
    STEER_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(it->path()));
    same = bytes == wanted->second;
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot read ", folder));
  return found;
}

// OK if the folder may be replaced: nothing in it but a planted model.
absl::Status CheckReplaceable(const PlantedFiles& files, const std::string& folder,
                              const std::map<std::string, bool>& found) {
  for (const auto& [name, same] : found) {
    if (files.find(name) == files.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder, " holds \"", name,
                       "\", which is no file of a planted model; name another folder"));
    }
  }
  const absl::StatusOr<Json> truth = ReadJsonFile(absl::StrCat(folder, "/truth.json"));
  if (!truth.ok() || !truth->is_object() ||
      truth->value("format", Json()) != Json("steer-planted-truth-1")) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder,
                     " holds no readable truth.json of a planted model, so it is not replaced; "
                     "name another folder"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FolderState> WritePlantedFolder(const PlantedFiles& files, const std::string& path,
                                               bool force) {
  // A trailing slash would put the staging folder inside.
  fs::path folder = fs::path(path).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  bool replace = false;
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) {
      return absl::FailedPreconditionError(absl::StrCat(path, " is not a folder"));
    }
    STEER_ASSIGN_OR_RETURN(const auto found, Compare(files, folder));
    bool same = found.size() == files.size();
    for (const auto& [name, equal] : found) same = same && equal;
    if (same) return FolderState::kUnchanged;
    replace = !found.empty();
    if (replace) {
      STEER_RETURN_IF_ERROR(CheckReplaceable(files, folder, found));
      if (!force) {
        return absl::FailedPreconditionError(
            absl::StrCat(path, " holds another planted model; --force replaces it"));
      }
    }
  }

  fs::path parent = folder.parent_path();
  if (parent.empty()) parent = ".";
  STEER_RETURN_IF_ERROR(MakeFolders(parent));
  const Staging staging(absl::StrCat(folder.string(), ".tmp.", getpid()));
  STEER_RETURN_IF_ERROR(MakeFolders(staging.path()));
  for (const auto& [name, bytes] : files) {
    STEER_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(staging.path(), "/", name), bytes));
  }
  // An empty folder is replaced by a plain rename; a full one changes places with the new one,
  // which Staging then removes.
  const int renamed = replace ? renameat2(AT_FDCWD, staging.path().c_str(), AT_FDCWD,
                                          folder.c_str(), RENAME_EXCHANGE)
                              : rename(staging.path().c_str(), folder.c_str());
  if (renamed != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename to ", path));
  STEER_RETURN_IF_ERROR(SyncFolder(parent));
  return FolderState::kWritten;
}

}  // namespace steer::planted
