#include "tests/support/metrics_table.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

// Words between backticks.
std::vector<std::string> Quoted(absl::string_view cell) {
  std::vector<std::string> words;
  std::vector<std::string> parts = absl::StrSplit(cell, '`');
  for (size_t i = 1; i < parts.size(); i += 2) words.push_back(parts[i]);
  return words;
}

// Label names of a series: `name{a="x",b="y"} 1`; values may hold anything, quoted.
std::set<std::string> LabelNames(absl::string_view series) {
  std::set<std::string> names;
  const size_t open = series.find('{');
  if (open == absl::string_view::npos) return names;
  std::string name;
  bool quoted = false;
  for (size_t i = open + 1; i < series.size(); ++i) {
    const char c = series[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '=') {
      names.insert(name);
      name.clear();
    } else if (c == '}') {
      break;
    } else if (c != ',') {
      name += c;
    }
  }
  names.erase("le");
  names.erase("quantile");
  return names;
}

std::string Show(const MetricFacts& facts) {
  return absl::StrCat(facts.type, " {", absl::StrJoin(facts.labels, ", "), "}");
}

}  // namespace

MetricsTable DocumentedMetrics(const std::vector<std::string>& headings) {
  std::ifstream file(SourcePath("deploy/metrics.md"));
  const std::string document((std::istreambuf_iterator<char>(file)), {});
  MetricsTable table;
  bool wanted = false;
  for (absl::string_view line : absl::StrSplit(document, '\n')) {
    if (absl::ConsumePrefix(&line, "## ")) {
      wanted = std::find(headings.begin(), headings.end(), line) != headings.end();
      continue;
    }
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (!wanted || cells.size() < 5 || !absl::StartsWith(cells[1], " `")) continue;
    const std::vector<std::string> labels = Quoted(cells[3]);
    for (const std::string& name : Quoted(cells[1])) {
      table[name] = {std::string(absl::StripAsciiWhitespace(cells[2])),
                     {labels.begin(), labels.end()}};
    }
  }
  return table;
}

MetricsTable MetricsOfPage(const std::string& page) {
  MetricsTable table;
  MetricFacts* current = nullptr;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::ConsumePrefix(&line, "# TYPE ")) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      current = &table[words[0]];
      current->type = words.back();
    } else if (current != nullptr && !line.empty() && line[0] != '#') {
      current->labels.merge(LabelNames(line));
    }
  }
  return table;
}

std::string Differences(const MetricsTable& documented, const MetricsTable& exported) {
  std::string out;
  for (const auto& [name, facts] : documented) {
    auto found = exported.find(name);
    if (found == exported.end()) {
      absl::StrAppend(&out, name, " is documented and not exported\n");
    } else if (!(found->second == facts)) {
      absl::StrAppend(&out, name, " is documented as ", Show(facts), " and exported as ",
                      Show(found->second), "\n");
    }
  }
  for (const auto& [name, facts] : exported) {
    if (documented.count(name) == 0) {
      absl::StrAppend(&out, name, " is exported as ", Show(facts), " and not documented\n");
    }
  }
  return out;
}

}  // namespace steer
