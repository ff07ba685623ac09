// A planted model as files, and the folder that holds them.
#ifndef STEER_SERVER_PLANTED_PLANTED_MODEL_H_
#define STEER_SERVER_PLANTED_PLANTED_MODEL_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer::planted {

// Bytes by file name: config.json, generation_config.json, model.safetensors, tokenizer.json,
// tokenizer_config.json, chat_template.jinja, harmful.jsonl, harmless.jsonl, truth.json. The same
// variant and seed give the same bytes on one machine and build. INVALID_ARGUMENT for a variant
// that does not exist.
using PlantedFiles = std::map<std::string, std::string>;
absl::StatusOr<PlantedFiles> MakePlantedModel(absl::string_view variant, uint64_t seed);

enum class FolderState { kWritten, kUnchanged };

// Makes `folder` hold exactly `files`. The files are written to a sibling folder that then takes
// the name, so a crash leaves the old folder or the new one. A folder that holds these bytes
// already is left alone. One that holds anything else is refused with FAILED_PRECONDITION, unless
// `force` and it is a planted model (a truth.json of this format, no files but such a model's).
absl::StatusOr<FolderState> WritePlantedFolder(const PlantedFiles& files, const std::string& folder,
                                               bool force);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_PLANTED_MODEL_H_
