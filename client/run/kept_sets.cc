#include "client/run/kept_sets.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "client/run/result_log.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {

std::string KeptSetPath(const std::string& folder, const FitRecord& fit) {
  return absl::StrCat(folder, "/", fit.content_digest, ".safetensors");
}

absl::Status KeepSet(const FitRecord& fit, const RunOptions& options, Client* client) {
  if (!options.keep_sets) return absl::OkStatus();
  std::error_code ignored;
  if (std::filesystem::is_symlink(options.sets, ignored)) {
    return DiskError(absl::FailedPreconditionError(
                         absl::StrCat(options.sets, " is a link, not a folder of the run's own")),
                     "cannot keep a fitted set");
  }
  const std::string path = KeptSetPath(options.sets, fit);
  if (std::filesystem::exists(path, ignored)) return absl::OkStatus();
  v1::ExportDirectionRequest request;
  request.set_set_id(fit.set_id);
  request.set_without_states(true);
  absl::StatusOr<std::string> file = client->ExportDirection(request);
  if (!file.ok()) return StopsTheRun(file.status()) ? file.status() : absl::OkStatus();
  STEER_RETURN_IF_ERROR(DiskError(MakeFolders(options.sets), "cannot keep a fitted set"));
  return DiskError(WriteFileAtomically(path, *file, "run.set"), "cannot keep a fitted set");
}

absl::StatusOr<bool> ImportKeptSet(const FitRecord& fit, const RunOptions& options,
                                   Client* client) {
  if (options.sets.empty()) return false;
  absl::StatusOr<std::string> file = ReadFile(KeptSetPath(options.sets, fit));
  if (!file.ok()) return false;
  absl::StatusOr<v1::DirectionSet> set = client->ImportDirection(*file);
  if (!set.ok()) {
    if (StopsTheRun(set.status())) return set.status();
    return false;
  }
  return set->set_id() == fit.set_id && set->content_digest() == fit.content_digest;
}

}  // namespace steer
