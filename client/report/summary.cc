#include "client/report/summary.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/run/fit_check.h"
#include "client/run/seed_run.h"
#include "client/stats/significance.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status Contradicts(const std::string& key, absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "LOG_DAMAGED",
                   absl::StrCat("record ", key, " ", what));
}

ArmSummary Summarise(const CellRecord& cell) {
  ArmSummary arm;
  arm.arm = cell.arm;
  arm.layer = cell.layer;
  arm.refusals = cell.count();
  arm.wilson = WilsonInterval(arm.refusals.refused, arm.refusals.n);
  arm.scores = cell.scores;
  arm.receipt = cell.receipt;
  arm.direction_digest = cell.direction_digest;
  double n = static_cast<double>(std::max<size_t>(cell.rows.size(), 1));
  // Sums in row order, so that they are the same on every rebuild.
  for (const CellRow& row : cell.rows) {
    arm.quality_ok += row.quality == RowQuality::kOk;
    arm.quality_degenerate += row.quality == RowQuality::kDegenerate;
    arm.quality_not_judged += row.quality == RowQuality::kNotJudged;
    arm.mean_refusal_log_odds += row.refusal_log_odds / n;
    arm.mean_kl += row.kl / n;
    arm.mean_generated_tokens += row.generated_tokens / n;
  }
  return arm;
}

std::vector<bool> Refusals(const CellRecord& cell) {
  std::vector<bool> refused;
  for (const CellRow& row : cell.rows) refused.push_back(row.refused);
  return refused;
}

class Builder {
 public:
  Builder(const Lock& lock, const ResultLog& log) : lock_(lock), log_(log) {}

  absl::StatusOr<Summary> Build() {
    STEER_RETURN_IF_ERROR(CheckDigests());
    Summary summary;
    std::vector<Verdict> verdicts;
    for (const SeedSplits& splits : lock_.splits) {
      STEER_ASSIGN_OR_RETURN(SeedSummary seed, BuildSeed(splits));
      verdicts.push_back(seed.decision.verdict);
      summary.seeds.push_back(std::move(seed));
    }
    summary.overall = OverallVerdict(verdicts);
    return summary;
  }

 private:
  absl::Status CheckDigests() const {
    for (const Record& record : log_.records()) {
      auto digest = JsonString(record.payload, "plan_digest", record.key);
      if (!digest.ok() || *digest != lock_.digest)
        return Contradicts(record.key, "belongs to another lock");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<SeedSummary> BuildSeed(const SeedSplits& splits) {
    SeedSummary seed;
    seed.seed = splits.seed;
    STEER_ASSIGN_OR_RETURN(seed.fit, FindFit(log_, splits.seed));
    if (seed.fit) {
      STEER_ASSIGN_OR_RETURN(seed.selection, ChooseLayer(lock_, *seed.fit, log_));
    }
    STEER_RETURN_IF_ERROR(CheckChoice(seed));
    STEER_RETURN_IF_ERROR(AddArms(splits, Stage::kSelection, UsableSelectionArms(lock_, seed.fit),
                                  &seed.selection_arms));
    STEER_RETURN_IF_ERROR(AddArms(splits, Stage::kTest, lock_.arms, &seed.test_arms));
    STEER_ASSIGN_OR_RETURN(seed.decision, DecidePost(CellsOf(seed)));
    for (int n = 1; const Record* record = log_.Find(RestartKey(splits.seed, n)); ++n) {
      STEER_ASSIGN_OR_RETURN(RestartRecord restart, ParseRestart(*record));
      seed.restarts.push_back(std::move(restart));
    }
    STEER_RETURN_IF_ERROR(AddFailures(splits.seed, seed.fit.has_value(), &seed.failures));
    return seed;
  }

  // The logged choice must be what the cells say.
  absl::Status CheckChoice(const SeedSummary& seed) const {
    const Record* record = log_.Find(SelectionKey(seed.seed));
    if (record == nullptr) return absl::OkStatus();
    STEER_ASSIGN_OR_RETURN(SelectionRecord logged, ParseSelection(*record));
    bool same = seed.selection && seed.selection->chosen == logged.chosen &&
                seed.selection->layer == logged.layer && seed.selection->tied == logged.tied;
    return same ? absl::OkStatus() : Contradicts(record->key, "does not follow from its cells");
  }

  absl::Status AddArms(const SeedSplits& splits, Stage stage, const std::vector<ArmSpec>& arms,
                       std::vector<ArmSummary>* out) const {
    std::map<PromptClass, CellRecord> baselines;
    for (const ArmSpec& arm : arms) {
      const Record* record = log_.Find(CellKey(splits.seed, stage, arm.name));
      if (record == nullptr) continue;
      STEER_ASSIGN_OR_RETURN(CellRecord cell, ParseCell(*record));
      if (!(cell.arm == arm) || cell.seed != splits.seed || cell.stage != stage ||
          cell.rows.size() != splits.of(arm.prompts).of(PartOfStage(stage)).size()) {
        return Contradicts(record->key, "is not the cell that the lock names");
      }
      ArmSummary summary = Summarise(cell);
      auto baseline = baselines.find(arm.prompts);
      if (arm.edit == EditKind::kNone) {
        baselines[arm.prompts] = cell;
      } else if (baseline != baselines.end()) {
        // Both have a row for each prompt of one split.
        const PairedCounts pairs = *CountPairs(Refusals(baseline->second), Refusals(cell));
        summary.paired_p = McNemarExact(pairs.only_first, pairs.only_second);
      }
      out->push_back(std::move(summary));
    }
    return absl::OkStatus();
  }

  static SplitPart PartOfStage(Stage stage) {
    return stage == Stage::kSelection ? SplitPart::kValidation : SplitPart::kTest;
  }

  PostCells CellsOf(const SeedSummary& seed) const {
    PostCells cells;
    for (const ArmSummary& arm : seed.test_arms) {
      if (arm.arm.control_draw && *arm.arm.control_draw != 0) continue;  // the rule reads draw 0
      bool control = arm.arm.control_draw.has_value();
      bool harmful = arm.arm.prompts == PromptClass::kHarmful;
      if (arm.arm.edit == EditKind::kNone) {
        (harmful ? cells.baseline_harmful : cells.baseline_harmless) = arm.refusals;
      } else if (arm.arm.edit == EditKind::kAblate) {
        (control ? cells.ablate_control : cells.ablate) = arm.refusals;
      } else {
        (control ? cells.add_control : cells.add) = arm.refusals;
      }
    }
    return cells;
  }

  absl::Status AddFailures(uint64_t seed, bool fitted, std::vector<FailureRecord>* out) const {
    std::map<std::string, FailureRecord> last;
    const std::string prefix = SeedPrefix(seed);
    for (const Record& record : log_.records(prefix)) {
      if (KindOf(record) != "failure") continue;
      STEER_ASSIGN_OR_RETURN(FailureRecord failure, ParseFailure(record));
      bool of_fit = absl::StartsWith(failure.of, absl::StrCat(prefix, "fit/"));
      if (log_.Find(failure.of) != nullptr || (of_fit && fitted)) continue;  // superseded
      last[failure.of] = std::move(failure);
    }
    for (auto& [of, failure] : last) out->push_back(std::move(failure));
    return absl::OkStatus();
  }

  const Lock& lock_;
  const ResultLog& log_;
};

}  // namespace

const ArmSummary* SeedSummary::FindTest(const std::string& name) const {
  for (const ArmSummary& arm : test_arms) {
    if (arm.arm.name == name) return &arm;
  }
  return nullptr;
}

absl::StatusOr<Summary> BuildSummary(const Lock& lock, const ResultLog& log) {
  return Builder(lock, log).Build();
}

}  // namespace steer
