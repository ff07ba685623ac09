#include "server/engine/fit_call.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/failpoint.h"
#include "common/status_macros.h"

namespace steer {
namespace {

std::vector<std::vector<int32_t>> Ids(const std::vector<PreparedPrompt>& prompts) {
  std::vector<std::vector<int32_t>> ids;
  for (const PreparedPrompt& prompt : prompts) ids.push_back(prompt.ids);
  return ids;
}

}  // namespace

std::string FitCall::SetId(const FitJob& job, const ModelFacts& facts) {
  return DirectionSetId(facts.model_fingerprint, facts.numeric_fingerprint, Ids(job.harmful),
                        Ids(job.harmless), job.positions, job.keep_states);
}

FitCall::FitCall(FitJob job, std::shared_ptr<CallControl> control, std::shared_ptr<FitSink> sink,
                 const ModelFacts& facts, DirectionStore* store, EngineObserver* observer)
    : EngineCall(std::move(control)),
      job_(std::move(job)),
      sink_(std::move(sink)),
      facts_(facts),
      store_(store),
      observer_(observer),
      set_id_(SetId(job_, facts)),
      fit_(job_.positions, facts.layers, facts.hidden, static_cast<int64_t>(job_.harmful.size()),
           static_cast<int64_t>(job_.harmless.size())) {
  // A damaged file reads as absent here and is fitted anew; Put then reports what is wrong with the
  // old one.
  cached_ = store_->Get(set_id_).ok();
  if (cached_) issued_ = done_ = total();
}

std::unique_ptr<Row> FitCall::NextRow() {
  if (issued_ == total()) return nullptr;
  auto row = std::make_unique<Row>();
  auto harmful = static_cast<int64_t>(job_.harmful.size());
  row->call = this;
  row->kind = RowKind::kFit;
  row->prompt = static_cast<int>(issued_);
  row->prompt_ids =
      issued_ < harmful ? &job_.harmful[issued_].ids : &job_.harmless[issued_ - harmful].ids;
  row->capture_positions = &job_.positions;
  ++issued_;
  return row;
}

absl::Status FitCall::OnRowDone(Row& row) {
  auto harmful = static_cast<int64_t>(job_.harmful.size());
  bool is_harmful = row.prompt < harmful;
  int64_t expected = static_cast<int64_t>(job_.positions.size()) * (2 * facts_.layers + 1);
  if (row.captures != expected) {
    return MakeError(absl::StatusCode::kInternal, "CAPTURE_COUNT_MISMATCH",
                     absl::StrCat("a prompt was to yield ", expected, " states and yielded ",
                                  row.captures, "; nothing of the fit is valid"));
  }
  if (FailpointSkips("engine.nan_state")) {
    row.states.back() = std::numeric_limits<float>::quiet_NaN();
  }
  const absl::Time start = absl::Now();
  STEER_RETURN_IF_ERROR(fit_.AddPrompt(is_harmful ? PromptClass::kHarmful : PromptClass::kHarmless,
                                       is_harmful ? row.prompt : row.prompt - harmful, row.states));
  accumulated_ += absl::Now() - start;
  began_ = std::min(began_, row.times.began);
  ++done_;
  if (gate_.Passes(done_, total())) sink_->OnProgress(done_, total());
  return absl::OkStatus();
}

absl::StatusOr<FitResult> FitCall::Finish() {
  if (!cached_) {
    const absl::Time start = absl::Now();
    observer_->OnFitPhase(FitPhase::kForward, start - began_);
    observer_->OnFitPhase(FitPhase::kAccumulate, accumulated_);
    STEER_ASSIGN_OR_RETURN(DirectionSet set, fit_.Finish(job_.keep_states));
    set.set_id = set_id_;
    set.model_fingerprint = facts_.model_fingerprint;
    set.numeric_fingerprint = facts_.numeric_fingerprint;
    for (const auto* prompts : {&job_.harmful, &job_.harmless}) {
      for (const PreparedPrompt& prompt : *prompts) set.fit_prompt_hashes.push_back(prompt.hash);
    }
    std::sort(set.fit_prompt_hashes.begin(), set.fit_prompt_hashes.end());
    set.create_time = absl::Now();
    observer_->OnFitPhase(FitPhase::kFinish, set.create_time - start);
    set.content_digest = ContentDigest(set);
    STEER_RETURN_IF_ERROR(store_->Put(set));
    observer_->OnFitPhase(FitPhase::kStore, absl::Now() - set.create_time);
  }
  STEER_ASSIGN_OR_RETURN(StoredSet stored, store_->Get(set_id_));
  return FitResult{std::move(stored), cached_};
}

bool FitCall::FinishIfComplete() {
  if (done_ < total()) return false;
  absl::StatusOr<FitResult> result = Finish();
  observer_->OnFit(!result.ok() ? FitOutcome::kFailed
                   : cached_    ? FitOutcome::kCached
                                : FitOutcome::kFitted);
  sink_->OnDone(std::move(result));
  return true;
}

void FitCall::Fail(const absl::Status& status) {
  observer_->OnFit(FitOutcome::kFailed);
  sink_->OnDone(status);
}

}  // namespace steer
