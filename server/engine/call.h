// A call in progress: it hands out rows, reads what they yield, and ends in its sink. Engine thread
// only.
#ifndef STEER_SERVER_ENGINE_CALL_H_
#define STEER_SERVER_ENGINE_CALL_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/engine/job.h"
#include "server/engine/row.h"

namespace steer {

class EngineCall {
 public:
  explicit EngineCall(std::shared_ptr<CallControl> control) : control_(std::move(control)) {}
  virtual ~EngineCall() = default;
  const CallControl& control() const { return *control_; }
  // A step has run for it.
  void Started() { control_->started.store(true, std::memory_order_relaxed); }
  bool started() const { return control_->started.load(std::memory_order_relaxed); }
  // When the engine was given it.
  absl::Time submitted() const { return submitted_; }

  // Whether its rows are of Generate: they go before others, see Scheduler.
  virtual bool Generates() const { return false; }

  // The next row to admit; null if there is none now (rows that wait for a reference come later) or
  // ever.
  virtual std::unique_ptr<Row> NextRow() = 0;

  // Rows that NextRow has yet to hand out.
  virtual int64_t RowsLeft() const = 0;

  // A step in which `rows`, all of this call, took part has run.
  virtual void OnStep(absl::Span<Row* const> rows) {}
  // Logits [vocabulary] at the last prompt position, for rows that want them. An error fails the
  // call.
  virtual absl::Status OnPromptLogits(Row& row, absl::Span<const float> logits) {
    return absl::OkStatus();
  }
  // A token was chosen and appended to row.generated. True if the row goes on. An error fails the
  // call.
  virtual absl::StatusOr<bool> OnToken(Row& row) { return false; }
  // The row is over: its edits have been checked. An error fails the call.
  virtual absl::Status OnRowDone(Row& row) = 0;

  // True when the call has ended well; asked once it has no rows left. Ends the sink.
  virtual bool FinishIfComplete() = 0;
  // Ends the sink with an error.
  virtual void Fail(const absl::Status& status) = 0;

 private:
  std::shared_ptr<CallControl> control_;
  const absl::Time submitted_ = absl::Now();
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_CALL_H_
