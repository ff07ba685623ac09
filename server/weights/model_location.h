// From what --model says to the folder to open. No network, no torch.
#ifndef STEER_SERVER_WEIGHTS_MODEL_LOCATION_H_
#define STEER_SERVER_WEIGHTS_MODEL_LOCATION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace steer {

struct ModelLocation {
  std::string folder;       // holds config.json and the rest
  std::string name;         // ORG/NAME in a Hugging Face cache, else the folder's base name
  std::string revision;     // the commit in a Hugging Face cache, else empty
  std::string repo_folder;  // the cache's folder of that model, else empty
};

// `model` is one of
//   a plain folder                       CONFIG.JSON and weights in it
//   a folder models--ORG--NAME           its snapshot of `revision`
//   a folder snapshots/COMMIT below one  that snapshot
//   ORG/NAME or NAME                     looked up in `hub_cache`
// A path that exists always wins over a name. `revision`, a branch, tag or commit, is "main" if
// empty, and refused where `model` leaves no choice. Links among the files that a checkpoint is
// read from must stay inside the plain folder, or inside the cache's folder of that model.
// Errors say what was looked for, where, and what to do next.
absl::StatusOr<ModelLocation> LocateModel(const std::string& model, const std::string& revision,
                                          const std::string& hub_cache);

// A NOT_FOUND of a later step, with what is known about the download that left the file out.
// Other statuses as they are.
absl::Status ExplainMissing(const ModelLocation& location, const absl::Status& status);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_MODEL_LOCATION_H_
