// Links among a checkpoint's files: where each leads, before anything is opened through it.
#ifndef STEER_SERVER_WEIGHTS_CHECKPOINT_LINKS_H_
#define STEER_SERVER_WEIGHTS_CHECKPOINT_LINKS_H_

#include <string>

#include "absl/status/status.h"

namespace steer {

// OK if every link among the .json, .jinja and .safetensors files of `folder`, and `folder` itself,
// ends inside `root`. INVALID_ARGUMENT names a link that leaves it or runs in a circle, NOT_FOUND
// one whose target is not there. Files that a checkpoint is not read from may link anywhere.
absl::Status CheckLinks(const std::string& folder, const std::string& root);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_CHECKPOINT_LINKS_H_
