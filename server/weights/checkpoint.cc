#include "server/weights/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "server/weights/checkpoint_files.h"
#include "server/weights/checkpoint_mistakes.h"

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
    STEER_RETURN_IF_ERROR(CheckNotLfsPointer(absl::StrCat(folder, "/", name), *bytes));
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
  STEER_RETURN_IF_ERROR(CheckNotAdapter(folder));
  std::map<std::string, std::string> text_files;
  STEER_ASSIGN_OR_RETURN(text_files, ReadTextFiles(folder));
  if (text_files.count("config.json") == 0) return NoConfig(folder);
  const std::string config_path = absl::StrCat(folder, "/config.json");
  STEER_ASSIGN_OR_RETURN(checkpoint->config_, ParseObject(config_path, text_files["config.json"]));
  STEER_RETURN_IF_ERROR(CheckNotQuantized(config_path, checkpoint->config_));
  if (auto it = text_files.find("generation_config.json"); it != text_files.end()) {
    STEER_ASSIGN_OR_RETURN(
        checkpoint->generation_config_,
        ParseObject(absl::StrCat(folder, "/generation_config.json"), it->second));
  }
  STEER_ASSIGN_OR_RETURN(CheckpointFiles weights, OpenCheckpointFiles(folder));
  checkpoint->files_ = std::move(weights.files);
  checkpoint->tensors_ = std::move(weights.tensors);
  for (const auto& file : checkpoint->files_) file->mapping()->ExpectSequentialReads();
  checkpoint->fingerprint_ = std::make_unique<Fingerprint>(
      text_files, checkpoint->tensors_,
      [self = checkpoint.get()](absl::string_view piece) { self->Release(piece); });
  return checkpoint;
}

std::string Checkpoint::PathOf(const TensorView& tensor) const {
  for (const auto& file : files_) {
    if (file->mapping()->Holds(tensor.bytes)) return file->path();
  }
  return folder_;
}

void Checkpoint::Release(absl::string_view bytes) const {
  for (const auto& file : files_) file->mapping()->Release(bytes);
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
