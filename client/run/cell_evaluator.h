// Measures cells: many in one call, each logged when its receipt has come and been found right.
#ifndef STEER_CLIENT_RUN_CELL_EVALUATOR_H_
#define STEER_CLIENT_RUN_CELL_EVALUATOR_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/api/client.h"
#include "client/run/cell.h"
#include "client/run/observer.h"
#include "client/run/result_log.h"

namespace steer {

// The server's numbers are no longer those that the seed was begun with.
inline constexpr char kNumericsChanged[] = "NUMERICS_CHANGED";

struct RunOptions {
  // Tries of one cell (or fit) that fails for a reason that may pass.
  int attempts = 3;
  absl::Duration attempt_wait = absl::Seconds(1);
  // True: stop when the cell in hand is durable, with CANCELLED. Polled on the run's threads. May be
  // empty.
  std::function<bool()> stop_soon;
  // Folder in which fitted sets are kept, as <content digest>.safetensors, so that another server
  // can have them. Sets that it holds are imported where a server lacks them; empty: neither.
  std::string sets;
  // Keep the sets of this run too.
  bool keep_sets = false;
};

// True for errors that no other cell could escape either: the server is away or another one, the
// disk fails, the user stops.
bool StopsTheRun(const absl::Status& status);
// True if the same request may succeed when it is sent again.
bool MayPass(const absl::Status& status);

// Writes a failure record under the next free number.
absl::Status LogFailure(const std::string& of, const std::string& plan_digest,
                        const absl::Status& why, ResultLog* log, RunObserver* observer);

// Measures every cell that the log does not hold. A call that fails is halved until the cell at
// fault stands alone; that one is retried within its budget, then logged as failed, and the rest
// goes on. A call in which the server found its own work inexact (EDIT_COUNT_MISMATCH and its like)
// fails every cell that it left open, at once and untried. OK means that each cell is in the log or failed. An error means that the run must stop
// (StopsTheRun); what was finished before is in the log.
absl::Status EvaluateCells(const CellContext& context, const std::vector<Cell>& cells,
                           const RunOptions& options, Client* client, ResultLog* log,
                           RunObserver* observer);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_CELL_EVALUATOR_H_
