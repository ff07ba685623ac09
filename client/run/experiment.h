// One experiment from lock to log: for each seed fit, selection, choice of the layer, test.
// Everything that is done is in the log at once, so a run that was stopped anywhere goes on where
// it was.
#ifndef STEER_CLIENT_RUN_EXPERIMENT_H_
#define STEER_CLIENT_RUN_EXPERIMENT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "client/api/client.h"
#include "client/plan/lock.h"
#include "client/run/cell_evaluator.h"
#include "client/run/observer.h"
#include "client/run/result_log.h"
#include "steer/v1/model.pb.h"

namespace steer {

// What a lock asks for and how much of it a log holds.
struct RunScope {
  int64_t cells = 0;
  int64_t rows = 0;
  int64_t done_cells = 0;
  int64_t done_rows = 0;
  bool complete = false;  // every seed chosen and every test cell there: no server is needed
};
// Layers that turned out unusable, once a fit is there, are not asked for.
absl::StatusOr<RunScope> ScopeOf(const Lock& lock, const ResultLog& log);

struct RunStats {
  bool complete = false;                        // as RunScope.complete, at the end
  std::map<std::string, double> stage_seconds;  // "fit", "selection", "test"
  v1::GetModelResponse model;                   // of the server; empty if none was needed
};

// Runs what is missing. `data_root`: where the lock's prompt files are; read only if something is
// missing. An error means that the run had to stop before its end (StopsTheRun, or the lock, data
// and server do not belong together); failed cells are not errors: the run goes on and `complete`
// is false.
// `stats` is filled as far as the run came, also on an error.
absl::Status RunExperiment(const Lock& lock, const std::string& data_root,
                           const RunOptions& options, Client* client, ResultLog* log,
                           RunObserver* observer, RunStats* stats);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_EXPERIMENT_H_
