#include "tests/fuzz/dictionary.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace steer::fuzz {

std::vector<std::string> ParseDictionary(absl::string_view text) {
  std::vector<std::string> words;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const size_t open = line.find('"');
    const size_t close = line.rfind('"');
    if (line.empty() || line[0] == '#' || open == absl::string_view::npos || close == open)
      continue;
    line = line.substr(open + 1, close - open - 1);
    std::string word;
    for (size_t i = 0; i < line.size(); ++i) {
      int byte = 0;
      if (line[i] != '\\' || i + 1 == line.size()) {
        word.push_back(line[i]);
      } else if (line[i + 1] == 'x' && absl::SimpleHexAtoi(line.substr(i + 2, 2), &byte)) {
        word.push_back(static_cast<char>(byte));
        i += 3;
      } else {
        word.push_back(line[++i]);
      }
    }
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace steer::fuzz
