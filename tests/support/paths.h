// Where the tests' files lie. In a source file of its own, so that the folder's name is no flag of every test's compilation: clones in
// different folders share what the compiler cache holds.
#ifndef STEER_TESTS_SUPPORT_PATHS_H_
#define STEER_TESTS_SUPPORT_PATHS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace steer {

// A file of the repository, by its path from the root ("tests/golden/readout/scores.json").
std::string SourcePath(absl::string_view path);
// A file of ../shared ("tokenizers/qwen3/tokenizer.json"), empty where it is not at hand.
std::string SharedPath(absl::string_view path);
// A file of the build folder ("server/steerd").
std::string BuildPath(absl::string_view path);

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_PATHS_H_
