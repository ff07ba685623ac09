// What a run tells its surroundings as it goes: the terminal, metrics. Called on the run's thread;
// an observer never fails a run.
#ifndef STEER_CLIENT_RUN_OBSERVER_H_
#define STEER_CLIENT_RUN_OBSERVER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/run/records.h"

namespace steer {

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // Cells and rows of the whole lock, and those that the log already held.
  virtual void OnStart(int64_t /*cells*/, int64_t /*rows*/, int64_t /*done_cells*/,
                       int64_t /*done_rows*/) {}
  // "fit", "selection" or "test" begins; `cells` is what is left to do in it (1 for a fit).
  virtual void OnStage(uint64_t /*seed*/, absl::string_view /*stage*/, int64_t /*cells*/) {}
  // Within the call that is running.
  virtual void OnRows(int64_t /*done*/, int64_t /*total*/) {}
  virtual void OnFit(const FitRecord& /*fit*/, bool /*resumed*/) {}
  // The cell is durable.
  virtual void OnCell(const CellRecord& /*cell*/) {}
  virtual void OnSelected(const SelectionRecord& /*selection*/) {}
  // `why` may quote the server: for a terminal, never for a file.
  virtual void OnFailure(const FailureRecord& /*failure*/, const absl::Status& /*why*/) {}
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_OBSERVER_H_
