// Gathers the outcomes of one Evaluate call into cell records. Private to client/run.
#ifndef STEER_CLIENT_RUN_CELL_SINK_H_
#define STEER_CLIENT_RUN_CELL_SINK_H_

#include <chrono>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "client/api/client.h"
#include "client/run/cell.h"
#include "client/run/cell_evaluator.h"
#include "client/run/observer.h"
#include "client/run/result_log.h"

namespace steer {

// Arm i of the request is cells[i]. One call, one thread.
class CellSink : public OutcomeSink {
 public:
  CellSink(const CellContext& context, const std::vector<Cell>& cells, const RunOptions& options,
           ResultLog* log, RunObserver* observer);

  void OnProgress(int64_t rows_done, int64_t rows_total) override;
  absl::Status OnOutcome(const v1::Outcome& outcome) override;
  absl::Status OnArm(const v1::ArmResult& result) override;
  void OnArmRestart(int arm) override;

 private:
  const std::vector<PromptRecord>& PromptsOf(const Cell& cell) const;
  absl::Status Log(int arm, const v1::Receipt& receipt);

  const CellContext& context_;
  const std::vector<Cell>& cells_;
  const RunOptions& options_;
  ResultLog* const log_;
  RunObserver* const observer_;
  // [arm][row]; a row's index is its place in the split.
  std::vector<std::vector<absl::optional<CellRow>>> rows_;
  std::vector<int> first_prompt_;  // [arm], index in the request of the arm's first prompt
  std::chrono::steady_clock::time_point mark_;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_CELL_SINK_H_
