// Words and final characters of prompts, by the white space of common/white_space.h. Private to client/data. Pure functions.
#ifndef STEER_CLIENT_DATA_TEXT_H_
#define STEER_CLIENT_DATA_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer {

// Unicode general category P*.
bool IsPunctuation(uint32_t code_point);

// `text` (UTF-8) without leading and trailing white space; views into it.
absl::string_view TrimWhiteSpace(absl::string_view text);

// Runs without white space; views into `text`.
std::vector<absl::string_view> SplitWords(absl::string_view text);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_TEXT_H_
