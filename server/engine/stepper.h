// Runs planned steps on the model in the fixed shapes, so that a row's numbers do not depend on its
// mates: prefill pads to C tokens, decode and the head to R rows. Knows nothing of calls. Engine
// thread only.
#ifndef STEER_SERVER_ENGINE_STEPPER_H_
#define STEER_SERVER_ENGINE_STEPPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/engine/row.h"
#include "server/engine/scheduler.h"
#include "server/model/decoder.h"

namespace steer {

class Stepper {
 public:
  Stepper(Decoder* decoder, SchedulerShape shape, bool on_cpu);

  // Logits [vocabulary] of a row; the span is valid during the call only.
  using LogitsReader = std::function<void(Row*, absl::Span<const float>)>;

  // One prefill step. Moves each row's context on, adds to its tally and captures, and calls
  // `reader` for every row whose prompt is done now and that wants logits or decodes. INTERNAL with
  // libtorch's words if it threw; the rows' contexts are then undefined.
  absl::Status Prefill(absl::Span<const PrefillPiece> pieces, const LogitsReader& reader);

  // One decode step: feeds each row's last generated token.
  absl::Status Decode(absl::Span<Row* const> rows, const LogitsReader& reader);

  // A step of each kind with padding only, to warm up and to measure.
  absl::Status WarmUp(bool prefill);

 private:
  struct Token;
  void Forward(const std::vector<Token>& tokens, const std::vector<StepRow>& step_rows,
               int64_t shape, const std::vector<int64_t>& logit_tokens,
               const std::vector<Row*>& logit_rows, const LogitsReader& reader);
  Decoder* decoder_;
  SchedulerShape shape_;
  bool on_cpu_;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_STEPPER_H_
