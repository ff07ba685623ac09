#include "server/weights/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "server/weights/checkpoint_files.h"

namespace steer {
namespace {

constexpr int64_t kMaxTextFileBytes = int64_t{256} << 20;

// Name -> bytes of the text files that exist.
absl::StatusOr<std::map<std::string, std::string>> ReadTextFiles(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "chat_template.jinja"}) {
    auto bytes = ReadFile(absl::StrCat(folder, "/", name), kMaxTextFileBytes);
    if (absl::IsNotFound(bytes.status())) continue;
    if (!bytes.ok()) return bytes.status();
    files[name] = *std::move(bytes);
  }
  return files;
}

absl::StatusOr<Json> ParseObject(const std::string& path, const std::string& bytes) {
  auto value = ParseJson(bytes);
  if (!value.ok()) return Annotate(value.status(), path);
  if (!value->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  }
  return value;
}

std::string Fingerprint(const std::map<std::string, std::string>& text_files,
                        const std::map<std::string, TensorView>& tensors) {
  Sha256 hash;
  hash.Field("steer checkpoint 1").Field(uint64_t{text_files.size()});
  for (const auto& [name, bytes] : text_files) hash.Field(name).Field(bytes);
  hash.Field(uint64_t{tensors.size()});
  for (const auto& [name, view] : tensors) {
    hash.Field(name).Field(TensorTypeName(view.type)).Field(uint64_t{view.shape.size()});
    for (int64_t dimension : view.shape) hash.Field(static_cast<uint64_t>(dimension));
    hash.Field(view.bytes);
  }
  return hash.Hex();
}

// Appends what `object`'s eos_token_id names; nothing if the key is absent or null.
absl::Status AppendEndOfTurn(const Json& object, const std::string& path, int64_t vocabulary,
                             std::vector<int32_t>* ids) {
  if (!object.is_object() || !object.contains("eos_token_id")) return absl::OkStatus();
  const Json& value = object["eos_token_id"];
  if (value.is_null()) return absl::OkStatus();
  const Json list = value.is_array() ? value : Json::array({value});
  for (const Json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": \"eos_token_id\" must be one integer or a list of integers in [0, ",
                       vocabulary, ")"));
    }
    ids->push_back(static_cast<int32_t>(id.get<uint64_t>()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Checkpoint>> Checkpoint::Open(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrCat("there is no checkpoint folder ", folder));
  }
  std::shared_ptr<Checkpoint> checkpoint(new Checkpoint());
  checkpoint->folder_ = folder;
  std::map<std::string, std::string> text_files;
  STEER_ASSIGN_OR_RETURN(text_files, ReadTextFiles(folder));
  if (text_files.count("config.json") == 0) {
    return absl::NotFoundError(absl::StrCat(folder, " has no config.json"));
  }
  STEER_ASSIGN_OR_RETURN(checkpoint->config_, ParseObject(absl::StrCat(folder, "/config.json"),
                                                          text_files["config.json"]));
  if (auto it = text_files.find("generation_config.json"); it != text_files.end()) {
    STEER_ASSIGN_OR_RETURN(
        checkpoint->generation_config_,
        ParseObject(absl::StrCat(folder, "/generation_config.json"), it->second));
  }
  STEER_ASSIGN_OR_RETURN(CheckpointFiles weights, OpenCheckpointFiles(folder));
  checkpoint->files_ = std::move(weights.files);
  checkpoint->tensors_ = std::move(weights.tensors);
  checkpoint->fingerprint_ = Fingerprint(text_files, checkpoint->tensors_);
  return checkpoint;
}

absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const Checkpoint& checkpoint,
                                                          int64_t vocabulary) {
  GenerationDefaults defaults;
  const std::string path = absl::StrCat(checkpoint.folder(), "/generation_config.json");
  const Json& generation = checkpoint.generation_config();
  std::vector<int32_t>& ids = defaults.end_of_turn;
  STEER_RETURN_IF_ERROR(AppendEndOfTurn(generation, path, vocabulary, &ids));
  if (ids.empty()) {
    STEER_RETURN_IF_ERROR(AppendEndOfTurn(
        checkpoint.config(), absl::StrCat(checkpoint.folder(), "/config.json"), vocabulary, &ids));
  }
  if (ids.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(checkpoint.folder(),
                     ": neither generation_config.json nor config.json names an end-of-turn id "
                     "(\"eos_token_id\")"));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (generation.is_object() && generation.contains("repetition_penalty") &&
      !generation["repetition_penalty"].is_null()) {
    STEER_ASSIGN_OR_RETURN(defaults.repetition_penalty,
                           JsonNumber(generation, "repetition_penalty", path));
    if (defaults.repetition_penalty <= 0) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": \"repetition_penalty\" must be > 0"));
    }
  }
  return defaults;
}

}  // namespace steer
