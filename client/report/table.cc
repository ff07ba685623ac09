#include "client/report/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/utf8.h"

namespace steer {

std::string AlignColumns(const std::vector<std::vector<std::string>>& rows,
                         const std::vector<size_t>& right) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], CountCodePoints(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      std::string pad(widths[c] - CountCodePoints(row[c]), ' ');
      bool flush = std::find(right.begin(), right.end(), c) != right.end();
      absl::StrAppend(&line, c == 0 ? "" : "  ", flush ? pad : "", row[c], flush ? "" : pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string ArmTitle(const ArmSpec& arm) {
  std::string title =
      arm.edit == EditKind::kNone ? "baseline" : std::string(EditKindName(arm.edit));
  if (arm.layer >= 0) absl::StrAppend(&title, " layer ", arm.layer);
  if (arm.control_draw) absl::StrAppend(&title, ", control ", *arm.control_draw);
  return title;
}

std::string ShownRate(const ArmSummary& arm) {
  return absl::StrFormat("%.2f [%.2f, %.2f] %d/%d", arm.refusals.rate(), arm.wilson.low,
                         arm.wilson.high, arm.refusals.refused, arm.refusals.n);
}

std::string RenderTable(const Lock& lock, const Summary& summary) {
  std::vector<std::vector<std::string>> rows = {{"seed", "layer", "prompts", "arm", "refusal",
                                                 "95 % interval", "count", "dose", "degenerate"}};
  for (const SeedSummary& seed : summary.seeds) {
    for (const ArmSpec& spec : lock.arms) {
      const ArmSummary* arm = seed.FindTest(spec.name);
      std::vector<std::string> row = {absl::StrCat(seed.seed), "",
                                      std::string(PromptClassName(spec.prompts)), ArmTitle(spec)};
      if (arm == nullptr) {
        row.push_back("missing");
      } else {
        if (arm->layer >= 0) row[1] = absl::StrCat(arm->layer);
        row.push_back(absl::StrFormat("%.2f", arm->refusals.rate()));
        row.push_back(absl::StrFormat("[%.2f, %.2f]", arm->wilson.low, arm->wilson.high));
        row.push_back(absl::StrFormat("%d/%d", arm->refusals.refused, arm->refusals.n));
        row.push_back(spec.edit == EditKind::kNone
                          ? ""
                          : absl::StrFormat("%.3f", arm->receipt.mean_relative_dose));
        row.push_back(lock.plan.quality ? absl::StrCat(arm->quality_degenerate) : "not judged");
      }
      rows.push_back(std::move(row));
    }
  }
  std::string text = AlignColumns(rows, {0, 1, 4, 6, 7, 8});
  for (const SeedSummary& seed : summary.seeds) {
    absl::StrAppend(&text, "\nseed ", seed.seed, ": ", VerdictName(seed.decision.verdict));
    if (seed.selection && seed.selection->chosen) {
      absl::StrAppend(&text, " (layer ", seed.selection->layer);
      if (seed.selection->tied.size() > 1) {
        absl::StrAppend(&text, ", tied: ", absl::StrJoin(seed.selection->tied, ", "));
      }
      absl::StrAppend(&text, ")");
    } else if (seed.selection) {
      absl::StrAppend(&text, " (no layer has a usable direction)");
    }
    absl::StrAppend(&text, "\n");
    for (const Margin& margin : seed.decision.margins) {
      absl::StrAppendFormat(&text, "  %-27s %+.3f, needed %.2f: %s\n", margin.name,
                            margin.difference.value(), margin.needed.value(),
                            margin.met ? "met" : "not met");
    }
    if (!seed.decision.missing.empty()) {
      absl::StrAppend(&text, "  missing: ", absl::StrJoin(seed.decision.missing, ", "), "\n");
    }
    for (const RestartRecord& restart : seed.restarts) {
      absl::StrAppend(&text, "  began anew: its server was lost, and with it ", restart.cells,
                      " cells of numeric fingerprint ", restart.numeric_fingerprint.substr(0, 12),
                      "\n");
    }
    for (const FailureRecord& failure : seed.failures) {
      absl::StrAppend(&text, "  failed: ", failure.of, ": ", failure.code,
                      failure.reason.empty() ? "" : absl::StrCat(" (", failure.reason, ")"), "\n");
    }
  }
  absl::StrAppend(&text, "\nverdict: ", VerdictName(summary.overall), "\n");
  return text;
}

}  // namespace steer
