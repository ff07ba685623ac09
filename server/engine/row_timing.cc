#include "server/engine/row_timing.h"

#include <algorithm>

#include "common/errors.h"
#include "server/engine/call.h"

namespace steer {

void TimeRows(const std::vector<Row*>& rows, absl::Time began, absl::Time ended,
              EngineObserver* observer) {
  for (Row* row : rows) {
    RowTimes& times = row->times;
    if (times.began == absl::InfinitePast()) times.began = began;
    if (row->prompt_done() && times.prompt_end == absl::InfinitePast()) times.prompt_end = ended;
    if (row->generated.size() == times.tokens) continue;
    times.tokens = row->generated.size();
    if (times.tokens == 1) {
      times.first_token = ended;
      if (row->counted && row->kind == RowKind::kGenerate) {
        observer->OnFirstToken(row->type(), ended - row->call->control().arrival);
      }
    } else if (row->counted) {
      observer->OnToken(row->type(), ended - times.last_token);
    }
    times.last_token = ended;
  }
}

int64_t CountInterventions(const std::vector<Row*>& rows) {
  std::vector<const CompiledIntervention*> distinct;
  for (const Row* row : rows) {
    if (row->edited()) distinct.push_back(row->intervention.get());
  }
  std::sort(distinct.begin(), distinct.end());
  return std::unique(distinct.begin(), distinct.end()) - distinct.begin();
}

RowReport ReportOf(const Row& row) {
  RowReport report;
  report.kind = row.kind;
  report.intervention = row.type();
  report.prompt_tokens = row.prompt_tokens();
  report.generated_tokens = static_cast<int64_t>(row.generated.size());
  if (report.generated_tokens > 0) {
    report.finish = row.finish == FinishReason::kEndOfTurn ? RowFinish::kEndOfTurn
                    : row.finish == FinishReason::kCertain ? RowFinish::kCertain
                                                           : RowFinish::kLength;
  }
  report.edits = row.tally.edits;
  if (row.edited() && row.tally.edits > 0) {
    report.sites = row.intervention->distinct_sites;
    report.dose = row.tally.dose / static_cast<double>(row.tally.edits);
    if (row.intervention->ablates) report.residual = row.tally.largest_residual;
  }
  report.prefill = row.times.prompt_end - row.times.began;
  if (row.times.tokens > 1) report.decode = row.times.last_token - row.times.first_token;
  return report;
}

RowFinish FinishOf(const absl::Status& status) {
  if (ReasonOf(status) == "STOPPING") return RowFinish::kStopping;
  if (status.code() == absl::StatusCode::kCancelled) return RowFinish::kCancelled;
  if (status.code() == absl::StatusCode::kDeadlineExceeded) return RowFinish::kDeadline;
  return RowFinish::kFailed;
}

}  // namespace steer
