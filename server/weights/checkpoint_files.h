// Which files of a checkpoint folder hold its weights, and whether the index and the shards agree.
// Used by Checkpoint::Open alone.
#ifndef STEER_SERVER_WEIGHTS_CHECKPOINT_FILES_H_
#define STEER_SERVER_WEIGHTS_CHECKPOINT_FILES_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/weights/safetensors.h"

namespace steer {

struct CheckpointFiles {
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  std::map<std::string, TensorView> tensors;  // views into `files`
};

// model.safetensors if there is one (as transformers chooses), else the shards that
// model.safetensors.index.json names. NOT_FOUND if the folder has neither, naming files of other
// formats that it does have, or if it lacks shards, naming them.
absl::StatusOr<CheckpointFiles> OpenCheckpointFiles(const std::string& folder);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_CHECKPOINT_FILES_H_
