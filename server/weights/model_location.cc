#include "server/weights/model_location.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/weights/checkpoint_links.h"
#include "server/weights/hub_cache.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

constexpr char kDefaultRevision[] = "main";
constexpr size_t kListedModels = 10;

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string DownloadCommand(const std::string& id, const std::string& revision) {
  return absl::StrCat("`hf download ", id,
                      revision.empty() || revision == kDefaultRevision
                          ? ""
                          : absl::StrCat(" --revision ", revision),
                      "`");
}

absl::Status NotAFolder(const std::string& model) {
  const std::string extension = fs::path(model).extension().string();
  if (extension == ".gguf") {
    return absl::InvalidArgumentError(
        absl::StrCat(model, " is a GGUF file, a format that is not read here; --model takes a ",
                     "checkpoint folder in Hugging Face format (config.json, safetensors)"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(model, " is a file; --model takes the folder that holds it, with config.json ",
                   "and tokenizer.json beside the weights"));
}

absl::Status NoSuchFolder(const std::string& model) {
  return absl::NotFoundError(absl::StrCat(
      "there is no folder ", model,
      model[0] == '~' ? " (the shell did not replace the ~: write --model ~/..., without \"=\")"
                      : "",
      "; --model takes a checkpoint folder, or the ORG/NAME of a model in the Hugging Face cache"));
}

absl::Status NotInCache(const std::string& id, const std::string& revision,
                        const std::string& cache) {
  if (cache.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "there is no folder ", id, ", and no Hugging Face cache to look in: neither HF_HUB_CACHE, ",
        "HF_HOME, XDG_CACHE_HOME nor HOME is set"));
  }
  std::vector<std::string> models = ModelsInCache(cache);
  const size_t more = models.size() > kListedModels ? models.size() - kListedModels : 0;
  models.resize(models.size() - more);
  return absl::NotFoundError(absl::StrCat(
      "there is no folder ", id, " and no ", RepoFolderName(id), " in the Hugging Face cache ",
      cache,
      models.empty() ? " (which holds no model)"
                     : absl::StrCat(" (which holds ", absl::StrJoin(models, ", "),
                                    more > 0 ? absl::StrCat(" and ", more, " more") : "", ")"),
      "; nothing is downloaded here: ", DownloadCommand(id, revision), " does it"));
}

absl::StatusOr<ModelLocation> InRepo(const std::string& repo_folder, const std::string& id,
                                     const std::string& revision) {
  const std::string wanted = revision.empty() ? kDefaultRevision : revision;
  auto snapshot = FindSnapshot(repo_folder, wanted);
  if (!snapshot.ok()) {
    if (!absl::IsNotFound(snapshot.status())) return snapshot.status();
    return absl::NotFoundError(absl::StrCat(snapshot.status().message(), "; ",
                                            DownloadCommand(id, wanted), " fetches it"));
  }
  ModelLocation out{snapshot->folder, id, snapshot->commit, repo_folder};
  const absl::Status links = CheckLinks(out.folder, repo_folder);
  if (!links.ok()) return ExplainMissing(out, links);
  return out;
}

// The folder of a snapshot, if that is what this is: .../models--ORG--NAME/snapshots/COMMIT.
absl::optional<ModelLocation> AsSnapshot(const std::string& folder) {
  std::error_code error;
  const fs::path path = fs::canonical(folder, error);
  if (error || path.parent_path().filename() != "snapshots") return absl::nullopt;
  const fs::path repo = path.parent_path().parent_path();
  auto id = RepoIdOf(repo.filename().string());
  if (!id) return absl::nullopt;
  return ModelLocation{folder, *id, path.filename().string(), repo.string()};
}

absl::StatusOr<ModelLocation> InFolder(const std::string& folder, const std::string& revision) {
  fs::path path = fs::path(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path == "." || path == "..") {
    std::error_code error;
    path = fs::canonical(path, error);
  }
  const std::string name = path.filename().string();
  if (auto id = RepoIdOf(name); id && IsFolder(path / "snapshots")) {
    return InRepo(path.string(), *id, revision);
  }
  if (!revision.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--revision ", revision, " goes with ORG/NAME or a models--ORG--NAME folder; ",
                     folder, " is a folder of one revision"));
  }
  if (!Exists(path / "config.json")) {
    const std::vector<std::string> models = ModelsInCache(folder);
    if (!models.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder, " is a Hugging Face cache; name one of its models: --model ",
                       models[0], " with HF_HUB_CACHE=", folder));
    }
  }
  ModelLocation out{folder, name, "", ""};
  if (auto snapshot = AsSnapshot(folder)) out = *std::move(snapshot);
  const absl::Status links = CheckLinks(folder, out.repo_folder.empty() ? folder : out.repo_folder);
  if (!links.ok()) return ExplainMissing(out, links);
  return out;
}

}  // namespace

absl::StatusOr<ModelLocation> LocateModel(const std::string& model, const std::string& revision,
                                          const std::string& hub_cache) {
  if (model.empty()) return absl::InvalidArgumentError("--model is empty");
  std::error_code error;
  const fs::file_status status = fs::status(model, error);
  if (fs::is_directory(status)) return InFolder(model, revision);
  if (fs::exists(status)) return NotAFolder(model);
  if (status.type() == fs::file_type::none) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot look at ", model));
  }
  if (!IsRepoId(model)) return NoSuchFolder(model);
  const std::string repo = absl::StrCat(hub_cache, "/", RepoFolderName(model));
  if (hub_cache.empty() || !IsFolder(repo)) return NotInCache(model, revision, hub_cache);
  return InRepo(repo, model, revision);
}

absl::Status ExplainMissing(const ModelLocation& location, const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  const bool cached = !location.repo_folder.empty();
  const std::string unfinished = UnfinishedDownload(
      cached ? location.repo_folder + "/blobs" : location.folder + "/.cache/huggingface/download");
  if (unfinished.empty() && !cached) return status;
  const std::string again =
      cached ? DownloadCommand(location.name, location.revision) : "`hf download` once more";
  return absl::NotFoundError(absl::StrCat(
      status.message(), "; ", unfinished.empty() ? "it was not downloaded" : unfinished, ": ",
      again, unfinished.empty() ? " fetches what is missing" : " finishes it"));
}

}  // namespace steer
