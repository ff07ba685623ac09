#include "client/report/check.h"

#include <algorithm>
#include <iterator>

#include "client/report/table.h"
#include "common/shell_quote.h"

namespace steer {

absl::string_view CheckStateName(CheckState state) {
  constexpr const char* kNames[] = {"ok", "differs", "missing", "not checked"};
  static_assert(std::size(kNames) == static_cast<size_t>(CheckState::kNotChecked) + 1);
  return kNames[static_cast<size_t>(state)];
}

CheckWeight WorstOf(const std::vector<CheckResult>& checks) {
  CheckWeight worst = CheckWeight::kNote;
  for (const CheckResult& check : checks) {
    if (check.failed()) worst = std::max(worst, check.weight);
  }
  return worst;
}

std::string CheckLines(const std::vector<CheckResult>& checks) {
  std::vector<std::vector<std::string>> rows;
  for (const CheckResult& check : checks) {
    // Names of files and words of errors are others' text.
    rows.push_back(
        {std::string(CheckStateName(check.state)), OneLine(check.what), OneLine(check.said)});
  }
  return AlignColumns(rows, {});
}

Json ChecksJson(const std::vector<CheckResult>& checks) {
  Json json = Json::array();
  for (const CheckResult& check : checks) {
    json.push_back({{"check", OneLine(check.what)},
                    {"state", std::string(CheckStateName(check.state))},
                    {"said", OneLine(check.said)}});
  }
  return json;
}

}  // namespace steer
