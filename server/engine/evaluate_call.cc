#include "server/engine/evaluate_call.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/status_macros.h"
#include "server/engine/receipt.h"
#include "server/readout/scores.h"

namespace steer {

std::vector<int> EvaluateCall::ReferencePrompts(const EvaluateJob& job) {
  std::set<int> prompts;
  for (const EvaluateArm& arm : job.arms) {
    if (job.scores && arm.intervention != nullptr && !arm.intervention->empty())
      prompts.insert(arm.prompts.begin(), arm.prompts.end());
  }
  return {prompts.begin(), prompts.end()};
}

EvaluateCall::EvaluateCall(EvaluateJob job, std::shared_ptr<CallControl> control,
                           std::shared_ptr<EvaluateSink> sink, const ModelFacts& facts,
                           std::shared_ptr<const Tokenizer> tokenizer, EngineObserver* observer)
    : EngineCall(std::move(control)),
      job_(std::move(job)),
      sink_(std::move(sink)),
      facts_(facts),
      tokenizer_(std::move(tokenizer)),
      observer_(observer),
      references_(ReferencePrompts(job_)),
      arms_(job_.arms.size()) {
  for (size_t a = 0; a < arms_.size(); ++a) {
    DescribeIntervention(job_.arms[a].intervention.get(), &arms_[a].receipt);
    rows_total_ += static_cast<int64_t>(job_.arms[a].prompts.size());
  }
  rows_left_ = rows_total_ + static_cast<int64_t>(references_.size());
}

std::unique_ptr<Row> EvaluateCall::NextRow() {
  auto row = std::make_unique<Row>();
  row->call = this;
  if (next_reference_ < references_.size()) {
    row->kind = RowKind::kReference;
    row->prompt = references_[next_reference_++];
    row->prompt_ids = &job_.prompts[row->prompt].ids;
    row->wants_prompt_logits = true;
    --rows_left_;
    return row;
  }
  while (next_arm_ < job_.arms.size() && next_in_arm_ == job_.arms[next_arm_].prompts.size()) {
    ++next_arm_;
    next_in_arm_ = 0;
  }
  if (next_arm_ == job_.arms.size()) return nullptr;
  const EvaluateArm& arm = job_.arms[next_arm_];
  int prompt = arm.prompts[next_in_arm_];
  bool edited = arm.intervention != nullptr && !arm.intervention->empty();
  if (job_.scores && edited && reference_logits_.count(prompt) == 0)
    return nullptr;  // its reference is still running
  ++next_in_arm_;
  --rows_left_;
  row->kind = RowKind::kEvaluate;
  row->arm = static_cast<int>(next_arm_);
  row->prompt = prompt;
  row->prompt_ids = &job_.prompts[prompt].ids;
  row->intervention = arm.intervention;
  row->decode = job_.decode;
  row->wants_prompt_logits = job_.scores;
  RowState& state = states_.emplace(row.get(), tokenizer_).first->second;
  state.outcome.arm = row->arm;
  state.outcome.prompt = prompt;
  return row;
}

void EvaluateCall::OnStep(absl::Span<Row* const> rows) {
  std::set<int> arms;
  for (const Row* row : rows) arms.insert(row->arm);
  for (int arm : arms) {
    if (arm >= 0) ++arms_[arm].receipt.steps;
  }
  ++total_.steps;
}

absl::Status EvaluateCall::OnPromptLogits(Row& row, absl::Span<const float> logits) {
  if (row.kind == RowKind::kReference) {
    reference_logits_[row.prompt].assign(logits.begin(), logits.end());
    return absl::OkStatus();
  }
  RowOutcome& outcome = states_.at(&row).outcome;
  STEER_ASSIGN_OR_RETURN(outcome.refusal_log_odds, RefusalLogOdds(logits, job_.refusal_token_ids));
  if (row.edited()) {
    STEER_ASSIGN_OR_RETURN(outcome.kl, KlDivergence(reference_logits_.at(row.prompt), logits));
  }
  return absl::OkStatus();
}

bool EvaluateCall::Judge(RowState& state, bool complete) {
  Judgement refused = job_.readout->Judge(state.decoder.text(), complete);
  QualityJudgement quality = QualityJudgement::kOpen;
  if (job_.judge_quality) quality = JudgeQuality(state.decoder.text(), complete);
  state.outcome.refused = refused == Judgement::kRefused;
  state.outcome.quality_judged = job_.judge_quality;
  state.outcome.degenerate = quality == QualityJudgement::kDegenerate;
  return refused != Judgement::kOpen && (!job_.judge_quality || quality != QualityJudgement::kOpen);
}

absl::StatusOr<bool> EvaluateCall::OnToken(Row& row) {
  RowState& state = states_.at(&row);
  int32_t id = row.generated.back();
  bool ended = std::binary_search(facts_.end_of_turn.begin(), facts_.end_of_turn.end(), id);
  if (!ended) state.decoder.Push(id);
  bool full = static_cast<int32_t>(row.generated.size()) >= job_.decode.max_new_tokens;
  bool complete = ended || full;
  if (complete) state.decoder.Finish();
  bool certain = (complete || !job_.decode_full_window) && Judge(state, complete);
  if (!complete && !certain) return true;
  row.finish = ended  ? FinishReason::kEndOfTurn
               : full ? FinishReason::kLength
                      : FinishReason::kCertain;
  state.outcome.finish = row.finish;
  return false;
}

void EvaluateCall::EndArm(int arm) { sink_->OnArmDone(arm, arms_[arm].receipt); }

absl::Status EvaluateCall::OnRowDone(Row& row) {
  AddRow(row, &total_);
  if (row.kind == RowKind::kReference) return absl::OkStatus();
  auto it = states_.find(&row);
  RowOutcome outcome = std::move(it->second.outcome);
  states_.erase(it);
  outcome.generated_tokens = static_cast<int64_t>(row.generated.size());
  outcome.token_digest = TokenDigest(row.generated);
  sink_->OnOutcome(outcome);
  OutcomeReport report = {row.type(), outcome.refused, outcome.quality_judged, outcome.degenerate,
                          absl::nullopt};
  if (job_.scores && row.edited()) report.kl = outcome.kl;
  observer_->OnOutcome(report);
  ArmState& arm = arms_[row.arm];
  AddRow(row, &arm.receipt);
  if (++arm.done == job_.arms[row.arm].prompts.size()) EndArm(row.arm);
  ++rows_done_;
  if (gate_.Passes(rows_done_, rows_total_)) sink_->OnProgress(rows_done_, rows_total_);
  return absl::OkStatus();
}

bool EvaluateCall::FinishIfComplete() {
  if (!empty_arms_ended_) {
    empty_arms_ended_ = true;
    for (size_t a = 0; a < arms_.size(); ++a) {
      if (job_.arms[a].prompts.empty()) EndArm(static_cast<int>(a));
    }
  }
  if (rows_done_ < rows_total_) return false;
  job_.leases
      .clear();  // a caller that deletes the set as soon as its call has ended must not find it in use
  sink_->OnDone(std::move(total_));
  return true;
}

void EvaluateCall::Fail(const absl::Status& status) {
  job_.leases.clear();
  sink_->OnDone(status);
}

}  // namespace steer
