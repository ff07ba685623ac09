#include "client/report/log_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/run/receipt_check.h"
#include "client/run/records.h"
#include "client/run/scope.h"
#include "client/run/seed_run.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Keys of all cells and choices that a lock may ask for.
std::set<std::string> KnownKeys(const Lock& lock) {
  std::set<std::string> keys;
  for (const SeedSplits& splits : lock.splits) {
    for (const ArmSpec& arm : SelectionArms(lock.candidate_layers))
      keys.insert(CellKey(splits.seed, Stage::kSelection, arm.name));
    for (const ArmSpec& arm : lock.arms) keys.insert(CellKey(splits.seed, Stage::kTest, arm.name));
    keys.insert(SelectionKey(splits.seed));
  }
  return keys;
}

// The key that a record's own payload gives it: a record under another's key would be counted twice.
absl::StatusOr<std::string> OwnKey(const Record& record) {
  const std::string kind = KindOf(record);
  if (kind == "fit") {
    STEER_ASSIGN_OR_RETURN(const FitRecord fit, ParseFit(record));
    return FitKey(fit.seed, fit.numeric_fingerprint);
  }
  if (kind == "cell") {
    STEER_ASSIGN_OR_RETURN(const CellRecord cell, ParseCell(record));
    return CellKey(cell.seed, cell.stage, cell.arm.name);
  }
  if (kind == "selection") {
    STEER_ASSIGN_OR_RETURN(const SelectionRecord selection, ParseSelection(record));
    return SelectionKey(selection.seed);
  }
  if (kind == "failure") {
    STEER_ASSIGN_OR_RETURN(const FailureRecord failure, ParseFailure(record));
    return FailureKey(failure.of, failure.number);
  }
  if (kind == "restart") {
    STEER_ASSIGN_OR_RETURN(const RestartRecord restart, ParseRestart(record));
    return RestartKey(restart.seed, restart.number);
  }
  return std::string();
}

absl::Status CheckRecord(const Lock& lock, const std::set<std::string>& known,
                         const Record& record) {
  const auto wrong = [&record](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("record ", record.key, " ", what));
  };
  const auto digest = JsonString(record.payload, "plan_digest", record.key);
  if (!digest.ok() || *digest != lock.digest) return wrong("belongs to another lock");
  STEER_ASSIGN_OR_RETURN(const std::string own, OwnKey(record));
  if (own != record.key) return wrong("does not hold what its key says");
  const std::string kind = KindOf(record);
  if (kind == "cell" || kind == "selection") {
    return known.count(record.key) > 0 ? absl::OkStatus() : wrong("is not asked for by the lock");
  }
  const bool of_seed =
      std::any_of(lock.splits.begin(), lock.splits.end(), [&record](const SeedSplits& splits) {
        return absl::StartsWith(record.key, absl::StrCat("seed-", splits.seed, "/"));
      });
  return of_seed ? absl::OkStatus() : wrong("is of a seed that the lock has not");
}

CheckResult CheckRecords(const Lock& lock, const ResultLog& log) {
  const std::set<std::string> known = KnownKeys(lock);
  const auto records = log.records();
  for (const Record& record : records) {
    const absl::Status status = CheckRecord(lock, known, record);
    if (!status.ok()) return {"records", CheckState::kDiffers, std::string(status.message())};
  }
  return {"records", CheckState::kOk,
          absl::StrCat(records.size(), " that count, all of this lock and asked for by it")};
}

CheckResult CheckFits(const Lock& lock, const ResultLog& log) {
  std::set<std::string> numerics;
  std::string missing;
  for (const SeedSplits& splits : lock.splits) {
    const auto fit = FindFit(log, splits.seed);
    if (!fit.ok()) return {"fits", CheckState::kDiffers, std::string(fit.status().message())};
    if (!fit->has_value()) {
      absl::StrAppend(&missing, missing.empty() ? "seed " : ", ", splits.seed);
      continue;
    }
    numerics.insert((*fit)->numeric_fingerprint);
    const FitRecord& held = **fit;
    const bool right = held.model_fingerprint == lock.model_fingerprint &&
                       held.layers == lock.model_layers &&
                       held.harmful_prompts == static_cast<int>(splits.harmful.train.size()) &&
                       held.harmless_prompts == static_cast<int>(splits.harmless.train.size());
    if (!right) {
      return {"fits", CheckState::kDiffers,
              absl::StrCat("seed ", splits.seed,
                           ": the fit is not of the lock's model and training split")};
    }
  }
  if (!missing.empty()) {
    return {"fits", CheckState::kMissing, missing, CheckWeight::kUnfinished};
  }
  return {
      "fits", CheckState::kOk,
      absl::StrCat(lock.splits.size(), ", one a seed, under ",
                   numerics.size() == 1 ? "one numeric fingerprint"
                                        : absl::StrCat(numerics.size(), " numeric fingerprints"))};
}

CheckResult CheckScope(const Lock& lock, const ResultLog& log) {
  const absl::StatusOr<RunScope> scope = ScopeOf(lock, log);
  if (!scope.ok()) return {"cells", CheckState::kDiffers, std::string(scope.status().message())};
  if (scope->complete) {
    return {"cells", CheckState::kOk,
            absl::StrCat("all ", scope->cells, " planned, ", scope->rows, " rows")};
  }
  return {"cells", CheckState::kMissing,
          absl::StrCat(scope->done_cells, " of ", scope->cells,
                       " planned cells are there; the same `run` measures the rest"),
          CheckWeight::kUnfinished};
}

// One cell against what its seed's other records and the lock make of it. Empty if it is right.
std::string WrongIn(const CellRecord& cell, const Lock& lock, const FitRecord& fit,
                    const absl::optional<SelectionRecord>& selection) {
  const bool edited = cell.arm.edit != EditKind::kNone;
  if (cell.numeric_fingerprint != fit.numeric_fingerprint) return "its numeric fingerprint";
  if (cell.set_id != (edited ? fit.set_id : "")) return "its set";
  const int sites = ExpectedSites(cell.arm.edit, lock.model_layers);
  if (cell.receipt.sites != sites) return "its sites";
  if (cell.receipt.edits != cell.receipt.tokens * sites) return "its edits";
  int64_t generated = 0;
  for (const CellRow& row : cell.rows) generated += row.generated_tokens;
  if (cell.receipt.generated_tokens < generated) return "its generated tokens";
  if (edited != (cell.receipt.mean_relative_dose > 0)) return "its dose";
  if (cell.scores != lock.plan.scores) return "its scores";
  int layer = -1;
  if (edited) layer = cell.stage == Stage::kSelection ? cell.arm.layer : cell.layer;
  if (edited && cell.stage == Stage::kTest) {
    if (!selection || !selection->chosen) return "its layer, which nothing chose";
    layer = selection->layer;
  }
  if (cell.layer != layer) return "its layer";
  if (!edited) return cell.direction_digest.empty() ? "" : "its direction";
  const LayerReport* fitted = fit.Find(lock.plan.selection_position, layer);
  if (fitted == nullptr) return "its layer, which the fit has not";
  const bool is_fitted = cell.direction_digest == fitted->direction_digest;
  return is_fitted == !cell.arm.control_draw.has_value() ? "" : "its direction";
}

CheckResult CheckReceipts(const Lock& lock, const ResultLog& log) {
  const auto wrong = [](const absl::Status& status) {
    return CheckResult{"receipts", CheckState::kDiffers, std::string(status.message())};
  };
  std::map<uint64_t, FitRecord> fits;
  std::map<uint64_t, SelectionRecord> selections;
  for (const SeedSplits& splits : lock.splits) {
    const auto fit = FindFit(log, splits.seed);
    if (!fit.ok()) return wrong(fit.status());
    if (fit->has_value()) fits[splits.seed] = **fit;
    const Record* record = log.Find(SelectionKey(splits.seed));
    if (record == nullptr) continue;
    const auto selection = ParseSelection(*record);
    if (!selection.ok()) return wrong(selection.status());
    selections[splits.seed] = *selection;
  }
  int64_t cells = 0;
  for (const Record& record : log.records()) {
    if (KindOf(record) != "cell") continue;
    const auto cell = ParseCell(record);
    if (!cell.ok()) return wrong(cell.status());
    const auto fit = fits.find(cell->seed);
    if (fit == fits.end()) {
      return wrong(absl::DataLossError(absl::StrCat("cell ", record.key, ": its seed has no fit")));
    }
    const auto selection = selections.find(cell->seed);
    const std::string what =
        WrongIn(*cell, lock, fit->second,
                selection == selections.end() ? absl::nullopt
                                              : absl::optional<SelectionRecord>(selection->second));
    if (!what.empty()) {
      return wrong(absl::DataLossError(absl::StrCat(
          "cell ", record.key, ": ", what, " does not follow from its lock, fit and choice")));
    }
    ++cells;
  }
  return {"receipts", CheckState::kOk,
          absl::StrCat(cells, ": numbers, sets, directions, layers and edits agree")};
}

}  // namespace

std::vector<CheckResult> CheckLog(const Lock& lock, const ResultLog& log) {
  return {CheckRecords(lock, log), CheckFits(lock, log), CheckScope(lock, log),
          CheckReceipts(lock, log)};
}

}  // namespace steer
