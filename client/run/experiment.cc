#include "client/run/experiment.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/run/model_facts.h"
#include "client/run/seed_run.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

int64_t RowsOf(const ArmSpec& arm, const SeedSplits& splits, Stage stage) {
  return static_cast<int64_t>(splits.of(arm.prompts).of(PartOf(stage)).size());
}

// Adds one seed to the scope; false if a cell or its choice is missing.
absl::StatusOr<bool> AddSeed(const Lock& lock, const ResultLog& log, const SeedSplits& splits,
                             RunScope* scope) {
  absl::optional<FitRecord> fit;
  STEER_ASSIGN_OR_RETURN(fit, FindFit(log, splits.seed));
  const Record* selected = log.Find(SelectionKey(splits.seed));
  bool chosen = true;
  if (selected != nullptr) {
    STEER_ASSIGN_OR_RETURN(SelectionRecord selection, ParseSelection(*selected));
    chosen = selection.chosen;
  }
  bool complete = fit.has_value() && selected != nullptr;
  auto add = [&](const ArmSpec& arm, Stage stage) {
    int64_t rows = RowsOf(arm, splits, stage);
    ++scope->cells;
    scope->rows += rows;
    if (log.Find(CellKey(splits.seed, stage, arm.name)) == nullptr) {
      complete = false;
      return;
    }
    ++scope->done_cells;
    scope->done_rows += rows;
  };
  for (const ArmSpec& arm : UsableSelectionArms(lock, fit)) add(arm, Stage::kSelection);
  for (const ArmSpec& arm : lock.arms) {
    if (chosen || arm.edit == EditKind::kNone) add(arm, Stage::kTest);
  }
  return complete;
}

}  // namespace

absl::StatusOr<RunScope> ScopeOf(const Lock& lock, const ResultLog& log) {
  RunScope scope;
  scope.complete = true;
  for (const SeedSplits& splits : lock.splits) {
    STEER_ASSIGN_OR_RETURN(bool complete, AddSeed(lock, log, splits, &scope));
    scope.complete = scope.complete && complete;
  }
  return scope;
}

absl::Status RunExperiment(const Lock& lock, const std::string& data_root,
                           const RunOptions& options, Client* client, ResultLog* log,
                           RunObserver* observer, RunStats* stats) {
  STEER_ASSIGN_OR_RETURN(RunScope scope, ScopeOf(lock, *log));
  observer->OnStart(scope.cells, scope.rows, scope.done_cells, scope.done_rows);
  stats->complete = scope.complete;
  if (scope.complete) return absl::OkStatus();

  STEER_ASSIGN_OR_RETURN(std::vector<SeedSplits> prompts, LoadLockedPrompts(lock, data_root));
  for (const SeedSplits& seed : prompts) {
    RunScope ignored;
    STEER_ASSIGN_OR_RETURN(bool done, AddSeed(lock, *log, seed, &ignored));
    if (done) continue;
    if (options.stop_soon && options.stop_soon())
      return absl::CancelledError("stopped by the user");
    // Asked anew for each seed: a seed runs on one server, the next may find another with the same
    // model.
    STEER_ASSIGN_OR_RETURN(stats->model, client->GetModel());
    STEER_RETURN_IF_ERROR(CheckLockAgainstServer(lock, ToServerFacts(stats->model)));
    SeedRun run(lock, seed, stats->model, options, client, log, observer, &stats->stage_seconds);
    STEER_RETURN_IF_ERROR(run.Run());
  }
  STEER_ASSIGN_OR_RETURN(scope, ScopeOf(lock, *log));
  stats->complete = scope.complete;
  return absl::OkStatus();
}

}  // namespace steer
