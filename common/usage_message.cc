#include "common/usage_message.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace steer {
namespace {

// Letters to change, add or take away (Levenshtein), by rows of its table.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string ClosestWord(absl::string_view word, const std::vector<std::string>& candidates) {
  std::string closest;
  // What is longer than any flag is none, and its table would be large.
  if (word.size() > 64) return closest;
  size_t least = word.size() / 3 + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = Distance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    closest = candidate;
  }
  return closest;
}

std::string UsageMessage(absl::string_view program, absl::string_view what,
                         const std::vector<std::string>& unknown,
                         const std::vector<std::string>& candidates) {
  std::string text = absl::StrCat(program, ": ");
  const auto flag = std::find_if(unknown.begin(), unknown.end(), [](const std::string& word) {
    return absl::StartsWith(word, "-");
  });
  if (flag != unknown.end()) {
    // --flag=value is a flag by its name.
    const std::string name = flag->substr(0, flag->find('='));
    const std::string closest = ClosestWord(name, candidates);
    absl::StrAppend(&text, "there is no flag ", name,
                    closest.empty() ? "" : absl::StrCat("; did you mean ", closest, "?"));
  } else if (!unknown.empty()) {
    const std::string closest = ClosestWord(unknown[0], candidates);
    absl::StrAppend(&text, "\"", unknown[0], "\" is one argument too many",
                    closest.empty() ? "" : absl::StrCat("; did you mean ", closest, "?"));
  } else {
    absl::StrAppend(&text, what);
  }
  return absl::StrCat(text, "\nRun ", program, " --help for more information.\n");
}

}  // namespace steer
