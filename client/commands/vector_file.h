// The one vector of an exported direction file.
#ifndef STEER_CLIENT_COMMANDS_VECTOR_FILE_H_
#define STEER_CLIENT_COMMANDS_VECTOR_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

// Tensor "direction", float32 [hidden], of a safetensors file. DATA_LOSS naming what is wrong.
// Pure.
absl::StatusOr<std::vector<float>> ParseDirectionFile(absl::string_view file);

// A JSON list of numbers, each in the shortest form that reads back as the same float32.
std::string VectorJson(const std::vector<float>& values);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_VECTOR_FILE_H_
