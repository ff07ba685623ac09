#include "client/run/seed_run.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "client/run/fit_check.h"
#include "client/run/kept_sets.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Relative difference of two norms that both come from float32 vectors.
constexpr double kNormTolerance = 1e-4;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

absl::Status SeedRun::Run() {
  STEER_RETURN_IF_ERROR(CheckSeedNumerics(*log_, prompts_.seed, model_.numeric_fingerprint()));
  absl::StatusOr<FitRecord> fit = Fit();
  if (!fit.ok()) {
    if (StopsTheRun(fit.status())) return fit.status();
    return LogFailure(FitKey(prompts_.seed, model_.numeric_fingerprint()), lock_.digest,
                      fit.status(), log_, observer_);
  }
  SelectionRecord selection;
  STEER_ASSIGN_OR_RETURN(bool selected, Select(*fit, &selection));
  if (!selected) return absl::OkStatus();
  return Test(*fit, selection);
}

absl::StatusOr<FitRecord> SeedRun::Fit() {
  const Record* held = log_->Find(FitKey(prompts_.seed, model_.numeric_fingerprint()));
  if (held != nullptr) {
    STEER_ASSIGN_OR_RETURN(FitRecord fit, ParseFit(*held));
    STEER_ASSIGN_OR_RETURN(bool there, ServerHas(fit));
    if (there) {
      STEER_RETURN_IF_ERROR(KeepSet(fit, options_, client_));
      observer_->OnFit(fit, true);
      return fit;
    }
    // The set is gone (or damaged): the same inputs must give the same set, which Append checks.
  }
  observer_->OnStage(prompts_.seed, "fit", 1);
  auto start = std::chrono::steady_clock::now();
  absl::Cleanup lap = [&] { (*stage_seconds_)["fit"] += SecondsSince(start); };
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<FitRecord> fit = FitOnServer();
    if (fit.ok() || StopsTheRun(fit.status()) || !MayPass(fit.status()) ||
        attempt >= options_.attempts) {
      if (!fit.ok()) return fit.status();
      Json observed = {{"seconds", SecondsSince(start)}};
      STEER_RETURN_IF_ERROR(log_->Append(ToRecord(*fit, std::move(observed))));
      STEER_RETURN_IF_ERROR(KeepSet(*fit, options_, client_));
      observer_->OnFit(*fit, false);
      return fit;
    }
    absl::SleepFor(options_.attempt_wait);
  }
}

absl::StatusOr<bool> SeedRun::ServerHas(const FitRecord& fit) {
  v1::GetDirectionRequest request;
  request.set_set_id(fit.set_id);
  absl::StatusOr<v1::GetDirectionResponse> stored = client_->GetDirection(request);
  if (stored.ok() && stored->set().content_digest() == fit.content_digest) return true;
  if (!stored.ok() && StopsTheRun(stored.status())) return stored.status();
  STEER_ASSIGN_OR_RETURN(imported_, ImportKeptSet(fit, options_, client_));
  return imported_;
}

absl::StatusOr<FitRecord> SeedRun::FitOnServer() {
  v1::FitDirectionRequest request;
  request.set_request_id(NewRequestId());
  request.set_expected_model_fingerprint(lock_.model_fingerprint);
  for (const PromptRecord& p : prompts_.harmful.train)
    *request.add_harmful() = ToPrompt(lock_.plan, p);
  for (const PromptRecord& p : prompts_.harmless.train)
    *request.add_harmless() = ToPrompt(lock_.plan, p);
  for (int position : lock_.plan.positions) request.add_positions(position);
  request.set_drop_states(!lock_.plan.keep_states);
  STEER_ASSIGN_OR_RETURN(v1::FitDirectionResult result,
                         client_->FitDirection(request, [this](int64_t done, int64_t total) {
                           observer_->OnRows(prompts_.seed, done, total);
                         }));
  STEER_RETURN_IF_ERROR(CheckFittedSet(result.set(), lock_, prompts_, model_));
  return ToFitRecord(result.set(), lock_.digest, prompts_.seed);
}

absl::Status SeedRun::Evaluate(const CellContext& context, const std::vector<Cell>& cells) {
  int64_t missing = 0;
  for (const Cell& cell : cells) {
    if (log_->Find(CellKey(prompts_.seed, context.stage, cell.arm.name)) == nullptr) ++missing;
  }
  if (missing == 0) return absl::OkStatus();
  observer_->OnStage(prompts_.seed, StageName(context.stage), missing);
  auto start = std::chrono::steady_clock::now();
  absl::Status status = EvaluateCells(context, cells, options_, client_, log_, observer_);
  (*stage_seconds_)[std::string(StageName(context.stage))] += SecondsSince(start);
  return status;
}

absl::StatusOr<bool> SeedRun::Select(const FitRecord& fit, SelectionRecord* selection) {
  CellContext context{lock_, prompts_, model_, Stage::kSelection, fit.set_id, fit.content_digest};
  const int position = lock_.plan.selection_position;
  std::vector<Cell> cells;
  for (const ArmSpec& arm : UsableSelectionArms(lock_, fit)) {
    Cell cell{arm, arm.layer, ""};
    if (arm.edit != EditKind::kNone)
      cell.direction_digest = fit.Find(position, arm.layer)->direction_digest;
    cells.push_back(std::move(cell));
  }
  STEER_RETURN_IF_ERROR(Evaluate(context, cells));

  absl::StatusOr<absl::optional<SelectionResult>> result = ChooseLayer(lock_, fit, *log_);
  if (!result.ok()) return result.status();
  if (!*result) return false;
  selection->plan_digest = lock_.digest;
  selection->seed = prompts_.seed;
  selection->chosen = (*result)->chosen;
  selection->layer = (*result)->layer;
  selection->tied = (*result)->tied;
  bool fresh = log_->Find(SelectionKey(prompts_.seed)) == nullptr;
  STEER_RETURN_IF_ERROR(log_->Append(ToRecord(*selection)));
  if (fresh) observer_->OnSelected(*selection);
  return true;
}

absl::StatusOr<std::string> SeedRun::ControlDigest(const CellContext& context, const Cell& cell,
                                                   const LayerReport& fitted) {
  v1::GetDirectionRequest request;
  request.set_set_id(context.set_id);
  *request.mutable_direction() = ToDirectionRef(context, cell);
  STEER_ASSIGN_OR_RETURN(v1::GetDirectionResponse answer, client_->GetDirection(request));
  bool matched = std::abs(answer.direction_norm() - fitted.norm) <= kNormTolerance * fitted.norm;
  if (!matched || !IsSha256Hex(answer.direction_digest()) ||
      answer.direction_digest() == fitted.direction_digest) {
    return MakeError(absl::StatusCode::kInternal, "WRONG_CONTROL",
                     absl::StrCat("control draw ", *cell.arm.control_draw, " has norm ",
                                  answer.direction_norm(), ", the fitted direction ", fitted.norm,
                                  ": not a norm-matched null of its own"));
  }
  return answer.direction_digest();
}

absl::Status SeedRun::Test(const FitRecord& fit, const SelectionRecord& selection) {
  CellContext context{lock_, prompts_, model_, Stage::kTest, fit.set_id, fit.content_digest};
  const LayerReport* fitted =
      selection.chosen ? fit.Find(lock_.plan.selection_position, selection.layer) : nullptr;
  std::map<int, std::string> control_digests;
  std::vector<Cell> cells;
  for (const ArmSpec& arm : lock_.arms) {
    Cell cell{arm, -1, ""};
    if (arm.edit != EditKind::kNone) {
      if (fitted == nullptr) continue;  // no layer to edit with; the baselines still tell something
      cell.layer = selection.layer;
      cell.direction_digest = fitted->direction_digest;
    }
    bool needed = log_->Find(CellKey(prompts_.seed, Stage::kTest, arm.name)) == nullptr;
    if (arm.control_draw && needed) {
      std::string& digest = control_digests[*arm.control_draw];
      if (digest.empty()) {
        absl::StatusOr<std::string> found = ControlDigest(context, cell, *fitted);
        if (!found.ok()) {
          if (StopsTheRun(found.status())) return found.status();
          STEER_RETURN_IF_ERROR(LogFailure(CellKey(prompts_.seed, Stage::kTest, arm.name),
                                           lock_.digest, found.status(), log_, observer_));
          continue;
        }
        digest = *std::move(found);
      }
      cell.direction_digest = digest;
    }
    cells.push_back(std::move(cell));
  }
  return Evaluate(context, cells);
}

}  // namespace steer
