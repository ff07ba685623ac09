#include "server/weights/checkpoint_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "server/weights/checkpoint_mistakes.h"

namespace steer {
namespace {

constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr size_t kListedProblems = 20;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool IsPlainShardName(const std::string& name) {
  return absl::EndsWith(name, ".safetensors") && name.size() <= 255 &&
         name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

// tensor -> shard
absl::StatusOr<std::map<std::string, std::string>> ReadIndex(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(Json index, ReadJsonFile(path));
  const auto bad = [&path](absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", rule));
  };
  if (!index.is_object()) return bad("not a JSON object");
  if (!index.contains("weight_map")) return bad("\"weight_map\" is missing");
  if (!index["weight_map"].is_object()) return bad("\"weight_map\" is not an object");
  if (index["weight_map"].empty()) return bad("\"weight_map\" is empty");
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    const std::string where = absl::StrCat("\"weight_map\": \"", tensor.substr(0, 80), "\": ");
    if (!shard.is_string()) return bad(absl::StrCat(where, "the shard is not a string"));
    shard_of[tensor] = shard.get<std::string>();
    if (!IsPlainShardName(shard_of[tensor])) {
      return bad(absl::StrCat(where, "the shard \"",
                              absl::Utf8SafeCEscape(shard_of[tensor].substr(0, 80)),
                              "\" is not a plain .safetensors file name"));
    }
  }
  return shard_of;
}

// Adds the tensors of one shard; what disagrees with the index goes to `problems`.
void AddShard(const std::string& shard, const SafetensorsFile& file,
              const std::map<std::string, std::string>& shard_of, CheckpointFiles* out,
              std::vector<std::string>* problems) {
  for (const auto& [tensor, view] : file.tensors()) {
    auto it = shard_of.find(tensor);
    if (it == shard_of.end()) {
      problems->push_back(absl::StrCat(shard, " holds \"", tensor, "\", which the index lacks"));
    } else if (it->second != shard) {
      problems->push_back(
          absl::StrCat(shard, " holds \"", tensor, "\", which the index places in ", it->second));
    } else {
      out->tensors.emplace(tensor, view);
    }
  }
}

// All shards at once: an interrupted download lacks several.
absl::Status CheckPresent(const std::string& folder, const std::set<std::string>& shards) {
  std::vector<std::string> missing;
  for (const std::string& shard : shards) {
    if (!Exists(absl::StrCat(folder, "/", shard))) missing.push_back(shard);
  }
  if (missing.empty()) return absl::OkStatus();
  const size_t more = missing.size() > kListedProblems ? missing.size() - kListedProblems : 0;
  missing.resize(missing.size() - more);
  return absl::NotFoundError(absl::StrCat(folder, " lacks ", missing.size() + more, " of the ",
                                          shards.size(), " shards that ", kIndex,
                                          " names: ", absl::StrJoin(missing, ", "),
                                          more > 0 ? absl::StrCat(" and ", more, " more") : ""));
}

absl::StatusOr<CheckpointFiles> OpenShards(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kIndex);
  std::map<std::string, std::string> shard_of;
  STEER_ASSIGN_OR_RETURN(shard_of, ReadIndex(path));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  STEER_RETURN_IF_ERROR(CheckPresent(folder, shards));
  CheckpointFiles out;
  std::vector<std::string> problems;
  for (const std::string& shard : shards) {
    auto file = SafetensorsFile::Open(absl::StrCat(folder, "/", shard));
    if (!file.ok()) return Annotate(file.status(), path);
    AddShard(shard, **file, shard_of, &out, &problems);
    out.files.push_back(*std::move(file));
  }
  for (const auto& [tensor, shard] : shard_of) {
    if (out.tensors.count(tensor) == 0) {
      problems.push_back(absl::StrCat("\"", tensor, "\" is not in ", shard));
    }
  }
  if (problems.empty()) return out;
  const size_t more = problems.size() > kListedProblems ? problems.size() - kListedProblems : 0;
  problems.resize(problems.size() - more);
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", absl::StrJoin(problems, "; "),
                   more > 0 ? absl::StrCat("; and ", more, " more") : ""));
}

}  // namespace

absl::StatusOr<CheckpointFiles> OpenCheckpointFiles(const std::string& folder) {
  const std::string single = absl::StrCat(folder, "/", kSingle);
  if (!Exists(single)) {
    if (!Exists(absl::StrCat(folder, "/", kIndex))) return NoWeights(folder);
    return OpenShards(folder);
  }
  CheckpointFiles out;
  STEER_ASSIGN_OR_RETURN(std::shared_ptr<const SafetensorsFile> file,
                         SafetensorsFile::Open(single));
  out.tensors = file->tensors();
  out.files.push_back(std::move(file));
  return out;
}

}  // namespace steer
