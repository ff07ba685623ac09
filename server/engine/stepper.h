// Runs planned steps on the model in the fixed shapes, so that a row's numbers do not depend on its
// mates: prefill pads to C tokens, decode and the head to R rows. Knows nothing of calls. Engine
// thread only.
//
// Where memory is short, a step first runs once more after the allocator's cache was emptied, then
// in halves, down to one row. Each half keeps the fixed shape, so that every row keeps its bits: what
// a smaller half saves is what grows with its rows (edits, captures, logits). A smaller shape would
// save more and change bits, so a row that alone finds no memory is refused.
#ifndef STEER_SERVER_ENGINE_STEPPER_H_
#define STEER_SERVER_ENGINE_STEPPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/engine/row.h"
#include "server/engine/scheduler.h"
#include "server/model/decoder.h"

namespace steer {

class Stepper {
 public:
  // `observer` outlives it.
  Stepper(Decoder* decoder, SchedulerShape shape, bool on_cpu, EngineObserver* observer);

  // Logits [vocabulary] of a row; the span is valid during the call only.
  using LogitsReader = std::function<void(Row*, absl::Span<const float>)>;
  // Rows that could not be computed, and why (see GuardStep). Their numbers are undefined.
  using Failures = std::vector<std::pair<Row*, absl::Status>>;

  // One prefill step. Moves each row's context on, adds to its tally and captures, and calls
  // `reader` for every row whose prompt is done now and that wants logits or decodes.
  Failures Prefill(absl::Span<const PrefillPiece> pieces, const LogitsReader& reader);

  // One decode step: feeds each row's last generated token.
  Failures Decode(absl::Span<Row* const> rows, const LogitsReader& reader);

  // A step of each kind with padding only, to warm up and to measure.
  absl::Status WarmUp(bool prefill);

  // Failpoint "engine.nan_logits": the first row's logits are not finite.
  // For tests: called with the number of rows before each forward pass (0: it warms up); may throw.
  void set_fault(std::function<void(size_t rows)> fault) { fault_ = std::move(fault); }

 private:
  struct Token;
  struct Batch;
  void Run(absl::Span<const PrefillPiece> pieces, int64_t shape, const LogitsReader& reader,
           Failures* failures);
  // Without effect on the rows but for the bytes of their captures.
  absl::Status Compute(Batch* batch, int64_t shape);
  absl::Status Finish(Batch& batch, const LogitsReader& reader);
  Decoder* decoder_;
  SchedulerShape shape_;
  bool on_cpu_;
  EngineObserver* observer_;
  std::function<void(size_t)> fault_;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_STEPPER_H_
