#include "client/report/compare_runs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/report/table.h"
#include "client/run/records.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

struct ReadCell {
  const Json* payload = nullptr;
  CellRecord record;
};

struct Cells {
  std::map<std::string, ReadCell> by_key;
  std::set<std::string> fingerprints;
};

absl::StatusOr<Cells> CellsOf(const ResultLog& log) {
  Cells cells;
  for (const Record& record : log.records()) {
    if (KindOf(record) != "cell") continue;
    STEER_ASSIGN_OR_RETURN(CellRecord cell, ParseCell(record));
    cells.fingerprints.insert(cell.numeric_fingerprint);
    cells.by_key[record.key] = {&record.payload, std::move(cell)};
  }
  return cells;
}

CellDifference Differ(const std::string& key, const CellRecord& ours, const CellRecord& theirs) {
  CellDifference difference;
  difference.key = key;
  difference.ours = ours.count();
  difference.theirs = theirs.count();
  difference.fingerprint = ours.numeric_fingerprint != theirs.numeric_fingerprint;
  difference.direction =
      ours.layer != theirs.layer || ours.direction_digest != theirs.direction_digest;
  difference.same_rows = ours.rows == theirs.rows;
  // One lock: as many rows, of the same prompts in the same order.
  for (size_t i = 0; i < std::min(ours.rows.size(), theirs.rows.size()); ++i) {
    const CellRow &a = ours.rows[i], &b = theirs.rows[i];
    difference.rows_refused += a.refused != b.refused;
    difference.rows_tokens += a.token_digest != b.token_digest;
    difference.largest_log_odds =
        std::max(difference.largest_log_odds, std::abs(a.refusal_log_odds - b.refusal_log_odds));
    difference.largest_kl = std::max(difference.largest_kl, std::abs(a.kl - b.kl));
  }
  return difference;
}

std::string Shown(const RefusalCount& count) {
  return absl::StrFormat("%.3f %d/%d", count.rate(), count.refused, count.n);
}

// What of the numbers differs, in a word or two.
std::string Conclusion(const RunComparison& c) {
  if (c.reproduced()) return "reproduced, byte for byte";
  if (!c.complete) {
    return absl::StrCat(
        "not decided: ", c.same_bytes ? "equal as far as both are measured, but " : "",
        "a run has not come to its end");
  }
  const bool rows = std::all_of(c.differing.begin(), c.differing.end(),
                                [](const CellDifference& d) { return d.same_rows; });
  const bool outcomes = std::all_of(c.differing.begin(), c.differing.end(),
                                    [](const CellDifference& d) { return d.rows_refused == 0; });
  const char* how = rows       ? "not byte for byte: every row is equal"
                    : outcomes ? "not byte for byte: every row has the same outcome"
                               : "not byte for byte: outcomes differ";
  return absl::StrCat(how, ", and the verdict is ", c.same_verdict() ? "the same" : "another one");
}

}  // namespace

absl::StatusOr<RunComparison> CompareRuns(const CheckedRun& ours, const CheckedRun& theirs) {
  if (!ours.summary || !theirs.summary) {
    return MakeError(
        absl::StatusCode::kDataLoss, "LOG_DAMAGED",
        absl::StrCat(ours.summary ? "the other" : "this", " run is too damaged to be compared"));
  }
  if (ours.lock->digest != theirs.lock->digest) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "FOLDER_OF_ANOTHER_LOCK",
        absl::StrCat("the other run is of lock ", theirs.lock->digest, ", this one of ",
                     ours.lock->digest, ": only runs of one lock can be compared"));
  }
  RunComparison result;
  result.same_bytes = ours.summary_bytes == theirs.summary_bytes;
  result.complete = ours.complete && theirs.complete;
  result.our_verdict = std::string(VerdictName(ours.summary->overall));
  result.their_verdict = std::string(VerdictName(theirs.summary->overall));
  STEER_ASSIGN_OR_RETURN(const Cells a, CellsOf(*ours.log));
  STEER_ASSIGN_OR_RETURN(const Cells b, CellsOf(*theirs.log));
  result.our_fingerprints.assign(a.fingerprints.begin(), a.fingerprints.end());
  result.their_fingerprints.assign(b.fingerprints.begin(), b.fingerprints.end());
  for (const auto& [key, cell] : a.by_key) {
    const auto other = b.by_key.find(key);
    if (other == b.by_key.end()) {
      result.only_ours.push_back(key);
      continue;
    }
    ++result.cells;
    if (*cell.payload == *other->second.payload) continue;
    result.differing.push_back(Differ(key, cell.record, other->second.record));
  }
  for (const auto& [key, cell] : b.by_key) {
    if (a.by_key.count(key) == 0) result.only_theirs.push_back(key);
  }
  return result;
}

std::string ComparisonLines(const RunComparison& c, size_t most) {
  std::string text = absl::StrCat(
      Conclusion(c), "\n", "verdict: ", c.our_verdict,
      c.same_verdict() ? " in both" : absl::StrCat(" here, ", c.their_verdict, " there"), "\n",
      "cells: ", c.cells - static_cast<int64_t>(c.differing.size()), " of ", c.cells, " equal");
  if (!c.only_ours.empty()) absl::StrAppend(&text, ", ", c.only_ours.size(), " only here");
  if (!c.only_theirs.empty()) absl::StrAppend(&text, ", ", c.only_theirs.size(), " only there");
  absl::StrAppend(&text, "\nnumeric fingerprint: ",
                  c.our_fingerprints == c.their_fingerprints
                      ? absl::StrCat(absl::StrJoin(c.our_fingerprints, ", "), " in both")
                      : absl::StrCat(absl::StrJoin(c.our_fingerprints, ", "), " here, ",
                                     absl::StrJoin(c.their_fingerprints, ", "),
                                     " there: numbers may differ in the last places"),
                  "\n");
  if (c.differing.empty()) return text;
  std::vector<std::vector<std::string>> rows = {{"cell", "refusal here", "there", "rows refused",
                                                 "rows tokens", "log-odds", "KL", "direction"}};
  for (size_t i = 0; i < std::min(most, c.differing.size()); ++i) {
    const CellDifference& d = c.differing[i];
    rows.push_back({d.key, Shown(d.ours), Shown(d.theirs), absl::StrCat(d.rows_refused),
                    absl::StrCat(d.rows_tokens), absl::StrFormat("%.2g", d.largest_log_odds),
                    absl::StrFormat("%.2g", d.largest_kl), d.direction ? "another" : "same"});
  }
  absl::StrAppend(&text, "\nDiffering cells: how many rows, and the largest difference in nats\n",
                  AlignColumns(rows, {3, 4, 5, 6}));
  if (c.differing.size() > most)
    absl::StrAppend(&text, "and ", c.differing.size() - most, " more; --json has all\n");
  return text;
}

Json ComparisonJson(const RunComparison& c) {
  Json differing = Json::array();
  for (const CellDifference& d : c.differing) {
    differing.push_back({{"cell", d.key},
                         {"ours", {{"refused", d.ours.refused}, {"n", d.ours.n}}},
                         {"theirs", {{"refused", d.theirs.refused}, {"n", d.theirs.n}}},
                         {"rows_refused", d.rows_refused},
                         {"rows_tokens", d.rows_tokens},
                         {"largest_log_odds", d.largest_log_odds},
                         {"largest_kl", d.largest_kl},
                         {"other_fingerprint", d.fingerprint},
                         {"other_direction", d.direction},
                         {"same_rows", d.same_rows}});
  }
  return {
      {"conclusion", Conclusion(c)},
      {"reproduced", c.reproduced()},
      {"same_bytes", c.same_bytes},
      {"complete", c.complete},
      {"verdict", {{"ours", c.our_verdict}, {"theirs", c.their_verdict}}},
      {"cells", c.cells},
      {"differing", std::move(differing)},
      {"only_ours", c.only_ours},
      {"only_theirs", c.only_theirs},
      {"numeric_fingerprints", {{"ours", c.our_fingerprints}, {"theirs", c.their_fingerprints}}}};
}

}  // namespace steer
