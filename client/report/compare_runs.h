// Two runs of one lock: is the second a reproduction of the first? Pure.
#ifndef STEER_CLIENT_REPORT_COMPARE_RUNS_H_
#define STEER_CLIENT_REPORT_COMPARE_RUNS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "client/plan/lock.h"
#include "client/report/run_check.h"
#include "client/stats/selection.h"
#include "common/json.h"

namespace steer {

// A cell that is in both and whose payloads differ.
struct CellDifference {
  std::string key;  // "seed-0/test/ablate/harmful"
  RefusalCount ours;
  RefusalCount theirs;
  int64_t rows_refused = 0;     // rows whose outcome is another
  int64_t rows_tokens = 0;      // rows with other tokens
  double largest_log_odds = 0;  // nats; 0 where no scores were asked for
  double largest_kl = 0;        // nats
  bool fingerprint = false;     // another numeric fingerprint
  bool direction = false;       // another direction, layer or set
  bool same_rows = false;       // every row is equal, scores too: only names differ
};

struct RunComparison {
  bool same_bytes = false;  // of summary.json, as both logs give it
  bool complete = false;    // both have every planned cell
  std::string our_verdict;
  std::string their_verdict;
  int64_t cells = 0;  // that both have
  std::vector<CellDifference> differing;
  std::vector<std::string> only_ours;           // keys of cells
  std::vector<std::string> only_theirs;         // likewise
  std::vector<std::string> our_fingerprints;    // numeric, sorted
  std::vector<std::string> their_fingerprints;  // likewise

  bool same_verdict() const { return our_verdict == their_verdict; }
  // Byte for byte, each row with the same tokens, and nothing is missing in either.
  bool reproduced() const { return same_bytes && complete && differing.empty(); }
};

// Both must have lock, log and summary. FAILED_PRECONDITION (reason FOLDER_OF_ANOTHER_LOCK) if the
// locks are not the same; DATA_LOSS if a record cannot be read.
absl::StatusOr<RunComparison> CompareRuns(const CheckedRun& ours, const CheckedRun& theirs);

// Several lines, the conclusion first; at most `most` cells one by one.
std::string ComparisonLines(const RunComparison& comparison, size_t most = 20);
Json ComparisonJson(const RunComparison& comparison);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_COMPARE_RUNS_H_
