// Folders and files that people take for a checkpoint, recognised so that the error can say what
// they are and what to do. Used by Checkpoint::Open alone.
#ifndef STEER_SERVER_WEIGHTS_CHECKPOINT_MISTAKES_H_
#define STEER_SERVER_WEIGHTS_CHECKPOINT_MISTAKES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/json.h"

namespace steer {

// INVALID_ARGUMENT if `bytes` are a git-LFS pointer: what a clone without git-lfs has instead of a
// large file.
absl::Status CheckNotLfsPointer(const std::string& path, absl::string_view bytes);

// INVALID_ARGUMENT for a folder with adapter_config.json. transformers would put the adapter on the
// model, and the weights alone are another model.
absl::Status CheckNotAdapter(const std::string& folder);

// INVALID_ARGUMENT if config.json says that the weights are quantised (GPTQ, AWQ, bitsandbytes,
// FP8, ...), naming the method.
absl::Status CheckNotQuantized(const std::string& path, const Json& config);

// NOT_FOUND for a folder without config.json, and for one without weights that can be read.
absl::Status NoConfig(const std::string& folder);
absl::Status NoWeights(const std::string& folder);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_CHECKPOINT_MISTAKES_H_
