#include "client/run/cell_sink.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/run/receipt_check.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status Malformed(const Cell& cell, absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "PROTOCOL",
                   absl::StrCat("an outcome of arm ", cell.arm.name, " ", what));
}

// A server may add doses up in the order of its batches; the last bits must not reach a result.
double SixDigits(double value) {
  double rounded = value;
  (void)absl::SimpleAtod(absl::StrFormat("%.6g", value), &rounded);
  return rounded;
}

absl::StatusOr<CellRow> ToRow(const v1::Outcome& outcome, const Cell& cell, const Plan& plan) {
  CellRow row;
  if (outcome.refused() != v1::REFUSED_YES && outcome.refused() != v1::REFUSED_NO) {
    return Malformed(cell, "does not say whether it refuses");
  }
  row.refused = outcome.refused() == v1::REFUSED_YES;
  switch (outcome.quality()) {
    case v1::QUALITY_OK:
      row.quality = RowQuality::kOk;
      break;
    case v1::QUALITY_DEGENERATE:
      row.quality = RowQuality::kDegenerate;
      break;
    default:
      row.quality = RowQuality::kNotJudged;
  }
  if ((row.quality != RowQuality::kNotJudged) != plan.quality) {
    return Malformed(cell,
                     plan.quality ? "has no quality" : "has a quality that was not asked for");
  }
  switch (outcome.finish_reason()) {
    case v1::FINISH_REASON_END_OF_TURN:
      row.finish = RowFinish::kEndOfTurn;
      break;
    case v1::FINISH_REASON_LENGTH:
      row.finish = RowFinish::kLength;
      break;
    case v1::FINISH_REASON_CERTAIN:
      row.finish = RowFinish::kCertain;
      break;
    default:
      return Malformed(cell, "is not finished");
  }
  row.generated_tokens = outcome.generated_tokens();
  if (row.generated_tokens < 0 || row.generated_tokens > plan.max_new_tokens) {
    return Malformed(cell, "has more tokens than its window");
  }
  row.refusal_log_odds = outcome.refusal_log_odds();
  row.kl = outcome.kl();
  if (!std::isfinite(row.refusal_log_odds) || !std::isfinite(row.kl) || row.kl < 0) {
    return Malformed(cell, "has a score that is not a finite number");
  }
  if (cell.arm.edit == EditKind::kNone && row.kl != 0) {
    return Malformed(cell, "is of an unedited row and has a KL other than 0");
  }
  row.token_digest = outcome.token_digest();
  if (!IsSha256Hex(row.token_digest)) return Malformed(cell, "has no token digest");
  return row;
}

}  // namespace

CellSink::CellSink(const CellContext& context, const std::vector<Cell>& cells,
                   const RunOptions& options, ResultLog* log, RunObserver* observer)
    : context_(context),
      cells_(cells),
      options_(options),
      log_(log),
      observer_(observer),
      mark_(std::chrono::steady_clock::now()) {
  // As BuildEvaluate lays the prompts out: harmful first, if any cell needs them.
  bool harmful = std::any_of(cells.begin(), cells.end(), [](const Cell& cell) {
    return cell.arm.prompts == PromptClass::kHarmful;
  });
  int harmless_begin =
      harmful ? static_cast<int>(context.prompts.harmful.of(PartOf(context.stage)).size()) : 0;
  for (const Cell& cell : cells) {
    rows_.emplace_back(PromptsOf(cell).size());
    first_prompt_.push_back(cell.arm.prompts == PromptClass::kHarmful ? 0 : harmless_begin);
  }
}

const std::vector<PromptRecord>& CellSink::PromptsOf(const Cell& cell) const {
  return context_.prompts.of(cell.arm.prompts).of(PartOf(context_.stage));
}

void CellSink::OnProgress(int64_t rows_done, int64_t rows_total) {
  observer_->OnRows(context_.prompts.seed, rows_done, rows_total);
}

absl::Status CellSink::OnOutcome(const v1::Outcome& outcome) {
  // The client has checked that arm and prompt belong together.
  const Cell& cell = cells_[outcome.arm()];
  size_t index = static_cast<size_t>(outcome.prompt() - first_prompt_[outcome.arm()]);
  if (outcome.prompt_hash() != PromptsOf(cell)[index].hash) {
    return Malformed(cell, "is of another prompt than the one sent");
  }
  STEER_ASSIGN_OR_RETURN(CellRow row, ToRow(outcome, cell, context_.lock.plan));
  rows_[outcome.arm()][index] = std::move(row);
  return absl::OkStatus();
}

void CellSink::OnArmRestart(int arm) {
  std::fill(rows_[arm].begin(), rows_[arm].end(), absl::nullopt);
}

absl::Status CellSink::OnArm(const v1::ArmResult& result) {
  const Cell& cell = cells_[result.arm()];
  ExpectedReceipt expected;
  expected.edit = cell.arm.edit;
  expected.layers = context_.lock.model_layers;
  expected.rows = static_cast<int64_t>(rows_[result.arm()].size());
  for (const auto& row : rows_[result.arm()]) expected.generated_tokens += row->generated_tokens;
  expected.model_fingerprint = context_.lock.model_fingerprint;
  expected.numeric_fingerprint = context_.model.numeric_fingerprint();
  expected.decode_rows = context_.model.decode_rows();
  expected.prefill_tokens = context_.model.prefill_tokens();
  expected.direction_digest = cell.direction_digest;
  expected.content_digest = context_.content_digest;
  expected.float32 = context_.model.dtype() == "float32";
  absl::Status right = CheckReceipt(result.receipt(), expected);
  if (!right.ok()) {
    // Loud, and for this cell only: the others carry receipts of their own.
    return LogFailure(CellKey(context_.prompts.seed, context_.stage, cell.arm.name),
                      context_.lock.digest, right, log_, observer_);
  }
  STEER_RETURN_IF_ERROR(Log(result.arm(), result.receipt()));
  if (options_.stop_soon && options_.stop_soon())
    return absl::CancelledError("stopped by the user");
  return absl::OkStatus();
}

absl::Status CellSink::Log(int arm, const v1::Receipt& receipt) {
  const Cell& cell = cells_[arm];
  CellRecord record;
  record.plan_digest = context_.lock.digest;
  record.seed = context_.prompts.seed;
  record.stage = context_.stage;
  record.arm = cell.arm;
  record.layer = cell.layer;
  record.set_id = cell.arm.edit == EditKind::kNone ? "" : context_.set_id;
  record.direction_digest = cell.direction_digest;
  record.numeric_fingerprint = receipt.numeric_fingerprint();
  record.scores = context_.lock.plan.scores;
  for (auto& row : rows_[arm]) record.rows.push_back(std::move(*row));
  record.receipt.tokens = receipt.tokens();
  record.receipt.generated_tokens = receipt.generated_tokens();
  record.receipt.edits = receipt.edits();
  record.receipt.sites = receipt.sites();
  record.receipt.mean_relative_dose = SixDigits(receipt.mean_relative_dose());
  record.receipt.largest_residual_projection = SixDigits(receipt.largest_residual_projection());
  record.receipt.decode_rows = receipt.decode_rows();
  record.receipt.prefill_tokens = receipt.prefill_tokens();
  auto now = std::chrono::steady_clock::now();
  Json observed = {{"steps", receipt.steps()},
                   {"seconds", std::chrono::duration<double>(now - mark_).count()}};
  mark_ = now;
  STEER_RETURN_IF_ERROR(log_->Append(ToRecord(record, std::move(observed))));
  observer_->OnCell(record);
  return absl::OkStatus();
}

}  // namespace steer
