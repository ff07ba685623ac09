#include "client/run/scope.h"

#include "client/run/seed_run.h"
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
  for (const SeedSplits& splits : lock.splits) {
    STEER_ASSIGN_OR_RETURN(bool complete, AddSeed(lock, log, splits, &scope));
    if (complete) scope.done_seeds.insert(splits.seed);
  }
  scope.complete = scope.done_seeds.size() == lock.splits.size();
  return scope;
}

}  // namespace steer
