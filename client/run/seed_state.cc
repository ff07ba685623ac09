// What a log says of one seed.
#include "absl/strings/str_cat.h"
#include "client/run/seed_run.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {

absl::StatusOr<std::string> MeasuredNumerics(const ResultLog& log, uint64_t seed) {
  for (const Record& record : log.records(SeedPrefix(seed))) {
    if (KindOf(record) != "cell") continue;
    STEER_ASSIGN_OR_RETURN(CellRecord cell, ParseCell(record));
    if (cell.seed == seed) return cell.numeric_fingerprint;
  }
  return std::string();
}

absl::Status CheckSeedNumerics(const ResultLog& log, uint64_t seed,
                               const std::string& numeric_fingerprint) {
  STEER_ASSIGN_OR_RETURN(std::string measured, MeasuredNumerics(log, seed));
  if (measured.empty() || measured == numeric_fingerprint) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, kNumericsChanged,
      absl::StrCat(
          "seed ", seed, " was begun on a server with numeric fingerprint ", measured.substr(0, 12),
          ", this one has ", numeric_fingerprint.substr(0, 12),
          ": a seed runs on one server. Start the server as it was and run again, or start "
          "anew in another folder"));
}

absl::StatusOr<absl::optional<FitRecord>> FindFit(const ResultLog& log, uint64_t seed) {
  STEER_ASSIGN_OR_RETURN(std::string measured, MeasuredNumerics(log, seed));
  absl::optional<FitRecord> found;
  for (const Record& record : log.records(SeedPrefix(seed))) {
    if (KindOf(record) != "fit") continue;
    STEER_ASSIGN_OR_RETURN(FitRecord fit, ParseFit(record));
    if (fit.seed == seed && (measured.empty() || fit.numeric_fingerprint == measured))
      found = std::move(fit);
  }
  return found;
}

std::vector<ArmSpec> UsableSelectionArms(const Lock& lock, const absl::optional<FitRecord>& fit) {
  std::vector<int> usable;
  for (int layer : lock.candidate_layers) {
    const LayerReport* report = fit ? fit->Find(lock.plan.selection_position, layer) : nullptr;
    if (!fit || (report != nullptr && report->usable)) usable.push_back(layer);
  }
  return SelectionArms(usable);
}

}  // namespace steer
