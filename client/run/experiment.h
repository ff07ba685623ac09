// One experiment from lock to log: for each seed fit, selection, choice of the layer, test.
// Everything that is done is in the log at once, so a run that was stopped anywhere goes on where
// it was.
#ifndef STEER_CLIENT_RUN_EXPERIMENT_H_
#define STEER_CLIENT_RUN_EXPERIMENT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/api/client.h"
#include "client/plan/lock.h"
#include "client/run/cell_evaluator.h"
#include "client/run/observer.h"
#include "client/run/result_log.h"
#include "client/run/scope.h"
#include "steer/v1/model.pb.h"

namespace steer {

// What one of several servers did.
struct ServerUse {
  std::string server;
  v1::GetModelResponse model;   // as it answered last; empty if it never did
  std::vector<uint64_t> seeds;  // that it took, in order
  int lost = 0;                 // times that it went away with a seed in hand
  bool out = false;             // it has another model, or refused us
};

struct RunStats {
  bool complete = false;                        // as RunScope.complete, at the end
  std::map<std::string, double> stage_seconds;  // "fit", "selection", "test"
  v1::GetModelResponse model;                   // of the server; empty if none was needed
  // Of runs on several servers.
  std::vector<ServerUse> servers;
  std::vector<SeedMove> moves;
  std::vector<RestartRecord> restarts;
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
