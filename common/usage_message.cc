#include "common/usage_message.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace steer {
namespace {

// Letters to change, add, take away or exchange with their neighbour (optimal string alignment), by rows of its table.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before, last, row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before = std::move(last);
    last = row;
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
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
    absl::StrAppend(&text, "\"", unknown[0], "\" is not understood here",
                    closest.empty() ? "" : absl::StrCat("; did you mean ", closest, "?"));
  } else {
    absl::StrAppend(&text, what);
  }
  return absl::StrCat(text, "\nRun ", program, " --help for more information.\n");
}

}  // namespace steer
