#include "client/run/fit_check.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/run/cell_evaluator.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

bool ReportIsSane(const v1::LayerReport& r) {
  bool finite = std::isfinite(r.norm()) && std::isfinite(r.projection_gap()) &&
                std::isfinite(r.auc()) && std::isfinite(r.largest_coordinate_share()) &&
                std::isfinite(r.mean_state_norm()) && std::isfinite(r.mean_cosine());
  return finite && r.norm() >= 0 && r.auc() >= 0 && r.auc() <= 1 &&
         (!r.usable() || (r.norm() > 0 && IsSha256Hex(r.direction_digest())));
}

}  // namespace

absl::Status CheckFittedSet(const v1::DirectionSet& set, const Lock& lock,
                            const SeedSplits& prompts, const v1::GetModelResponse& model) {
  if (set.numeric_fingerprint() != model.numeric_fingerprint()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, kNumericsChanged,
        absl::StrCat("the server was replaced while seed ", prompts.seed,
                     " was fitted: its numeric fingerprint is another one. Run again"));
  }
  std::vector<std::string> wrong;
  auto expect = [&](bool good, absl::string_view what) {
    if (!good) wrong.emplace_back(what);
  };
  expect(set.model_fingerprint() == lock.model_fingerprint,
         absl::StrCat("model_fingerprint is ", set.model_fingerprint().substr(0, 80), ", locked ",
                      lock.model_fingerprint));
  expect(IsSha256Hex(set.set_id()), "set_id");
  expect(IsSha256Hex(set.content_digest()), "content_digest");
  expect(std::equal(set.positions().begin(), set.positions().end(), lock.plan.positions.begin(),
                    lock.plan.positions.end()),
         "positions");
  expect(set.layers() == lock.model_layers, "layers");
  expect(set.harmful_prompts() == static_cast<int>(prompts.harmful.train.size()),
         "harmful_prompts");
  expect(set.harmless_prompts() == static_cast<int>(prompts.harmless.train.size()),
         "harmless_prompts");
  bool order =
      set.reports_size() == static_cast<int>(lock.plan.positions.size()) * lock.model_layers;
  for (int i = 0; order && i < set.reports_size(); ++i) {
    const v1::LayerReport& report = set.reports(i);
    order = report.position() == lock.plan.positions[i / lock.model_layers] &&
            report.layer() == i % lock.model_layers && ReportIsSane(report);
  }
  expect(order, "reports");
  if (wrong.empty()) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kInternal, "WRONG_SET",
      absl::StrCat("the fitted set is not the one asked for: ", absl::StrJoin(wrong, ", ")));
}

FitRecord ToFitRecord(const v1::DirectionSet& set, const std::string& plan_digest, uint64_t seed) {
  FitRecord fit;
  fit.plan_digest = plan_digest;
  fit.seed = seed;
  fit.set_id = set.set_id();
  fit.content_digest = set.content_digest();
  fit.method = set.method();
  fit.model_fingerprint = set.model_fingerprint();
  fit.numeric_fingerprint = set.numeric_fingerprint();
  fit.layers = set.layers();
  fit.hidden = set.hidden();
  fit.harmful_prompts = set.harmful_prompts();
  fit.harmless_prompts = set.harmless_prompts();
  for (const v1::LayerReport& r : set.reports()) {
    fit.reports.push_back({r.position(), r.layer(), r.usable(), r.norm(), r.projection_gap(),
                           r.auc(), r.largest_coordinate_share(), r.mean_state_norm(),
                           r.mean_cosine(), r.direction_digest()});
  }
  return fit;
}

absl::StatusOr<absl::optional<SelectionResult>> ChooseLayer(const Lock& lock, const FitRecord& fit,
                                                            const ResultLog& log) {
  bool complete = true;
  absl::Status status;
  auto count = [&](const std::string& arm) {
    const Record* record = log.Find(CellKey(fit.seed, Stage::kSelection, arm));
    if (record == nullptr) {
      complete = false;
      return RefusalCount();
    }
    absl::StatusOr<CellRecord> cell = ParseCell(*record);
    if (!cell.ok()) status = cell.status();
    return cell.ok() ? cell->count() : RefusalCount();
  };
  RefusalCount baseline_harmful, baseline_harmless;
  std::vector<LayerCandidate> candidates;
  for (int layer : lock.candidate_layers) {
    const LayerReport* report = fit.Find(lock.plan.selection_position, layer);
    LayerCandidate candidate;
    candidate.layer = layer;
    candidate.usable = report != nullptr && report->usable;
    if (candidate.usable) {
      for (const ArmSpec& arm : SelectionArms({layer})) {
        RefusalCount n = count(arm.name);
        if (arm.edit == EditKind::kAblate)
          candidate.ablated = n;
        else if (arm.edit == EditKind::kAdd)
          candidate.added = n;
      }
    }
    candidates.push_back(candidate);
  }
  for (const ArmSpec& arm : SelectionArms({})) {
    (arm.prompts == PromptClass::kHarmful ? baseline_harmful : baseline_harmless) = count(arm.name);
  }
  STEER_RETURN_IF_ERROR(status);
  if (!complete) return absl::optional<SelectionResult>();
  STEER_ASSIGN_OR_RETURN(SelectionResult result,
                         SelectLargestSwing(baseline_harmful, baseline_harmless, candidates));
  return absl::optional<SelectionResult>(std::move(result));
}

}  // namespace steer
