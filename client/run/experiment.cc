#include "client/run/experiment.h"

#include <utility>

#include "client/run/model_facts.h"
#include "client/run/seed_run.h"
#include "common/status_macros.h"

namespace steer {

absl::Status RunExperiment(const Lock& lock, const std::string& data_root,
                           const RunOptions& options, Client* client, ResultLog* log,
                           RunObserver* observer, RunStats* stats) {
  STEER_ASSIGN_OR_RETURN(RunScope scope, ScopeOf(lock, *log));
  observer->OnStart(scope.cells, scope.rows, scope.done_cells, scope.done_rows);
  stats->complete = scope.complete;
  if (scope.complete) return absl::OkStatus();

  STEER_ASSIGN_OR_RETURN(std::vector<SeedSplits> prompts, LoadLockedPrompts(lock, data_root));
  for (const SeedSplits& seed : prompts) {
    if (scope.done_seeds.count(seed.seed) > 0) continue;
    if (options.stop_soon && options.stop_soon())
      return absl::CancelledError("stopped by the user");
    // Asked anew for each seed: a seed runs on one server, the next may find another with the same
    // model.
    STEER_ASSIGN_OR_RETURN(stats->model, client->GetModel());
    STEER_RETURN_IF_ERROR(CheckLockAgainstServer(lock, ToServerFacts(stats->model)));
    SeedRun run(lock, seed, stats->model, options, client, log, observer, &stats->stage_seconds);
    absl::Status ran = run.Run();
    observer->OnSeedEnd(seed.seed);
    STEER_RETURN_IF_ERROR(ran);
  }
  STEER_ASSIGN_OR_RETURN(scope, ScopeOf(lock, *log));
  stats->complete = scope.complete;
  return absl::OkStatus();
}

}  // namespace steer
