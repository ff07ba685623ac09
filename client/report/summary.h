// What a run's log comes to: counts, rates, the choice of layers, verdicts. A pure function of lock
// and log, so that any rebuild gives the same bytes; clocks and hosts are no part of it.
#ifndef STEER_CLIENT_REPORT_SUMMARY_H_
#define STEER_CLIENT_REPORT_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "client/plan/lock.h"
#include "client/run/records.h"
#include "client/run/result_log.h"
#include "client/stats/decision.h"
#include "client/stats/intervals.h"
#include "client/stats/selection.h"
#include "common/json.h"

namespace steer {

inline constexpr char kSummaryFormat[] = "steer-summary-1";

// One measured cell.
struct ArmSummary {
  ArmSpec arm;
  int layer = -1;
  RefusalCount refusals;
  Interval wilson;  // 95 %
  int64_t quality_ok = 0;
  int64_t quality_degenerate = 0;
  int64_t quality_not_judged = 0;
  bool scores = false;
  double mean_refusal_log_odds = 0;  // nats
  double mean_kl = 0;                // nats
  double mean_generated_tokens = 0;
  CellReceipt receipt;
  std::string direction_digest;
  // Exact McNemar p of this arm against the baseline on the same prompts; unset for a baseline or
  // where that is missing.
  absl::optional<double> paired_p;
};

struct SeedSummary {
  uint64_t seed = 0;
  absl::optional<FitRecord> fit;
  absl::optional<SelectionResult> selection;  // set once every selection cell is there
  std::vector<ArmSummary> selection_arms;     // measured ones, in the stage's order
  std::vector<ArmSummary> test_arms;          // measured ones, in the lock's order
  SeedDecision decision;
  std::vector<RestartRecord> restarts;  // times that it began anew on a server of other numbers
  std::vector<FailureRecord> failures;  // last failure of each fit or cell that is still missing
  const ArmSummary* FindTest(const std::string& name) const;  // null if not measured
};

struct Summary {
  std::vector<SeedSummary> seeds;  // in the lock's order
  Verdict overall = Verdict::kIncomplete;
};

// DATA_LOSS if a record belongs to another lock, contradicts it, or the choice of a layer does not
// follow from its cells.
absl::StatusOr<Summary> BuildSummary(const Lock& lock, const ResultLog& log);

// summary.json and verdict.json, without text of any prompt.
Json SummaryJson(const Lock& lock, const Summary& summary);
Json VerdictJson(const Lock& lock, const Summary& summary);

// Canonical JSON, indented for people, with a newline at the end. The same value gives the same
// bytes.
absl::StatusOr<std::string> PrettyJson(const Json& value);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_SUMMARY_H_
