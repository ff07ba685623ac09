// What the engine tells telemetry. Implementations must be cheap and thread-safe: calls come from
// the engine thread, once a step or row.
#ifndef STEER_SERVER_ENGINE_OBSERVER_H_
#define STEER_SERVER_ENGINE_OBSERVER_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace steer {

enum class StepKind { kPrefill, kDecode };
enum class RowKind { kFit, kEvaluate, kGenerate, kReference };

class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  // A step ended: `tokens` that rows used of `shape` that were computed.
  virtual void OnStep(StepKind kind, int64_t rows, int64_t tokens, int64_t shape,
                      absl::Duration took) {}
  // A row ended well: tokens it read and generated, edits applied to it.
  virtual void OnRow(RowKind kind, int64_t prompt_tokens, int64_t generated_tokens, int64_t edits) {
  }
  virtual void OnOutcome(bool refused, bool quality_judged, bool degenerate) {}
  // Rows waiting and running, KV tokens in use, after each step.
  virtual void OnLoad(int64_t rows_waiting, int64_t rows_running, int64_t kv_tokens_used) {}
  // The engine's own check row ended, see CanaryCall.
  virtual void OnCanary(bool ok) {}
  // A step found no memory; a step was run in halves for it; the device failed for good.
  virtual void OnOutOfMemory() {}
  virtual void OnHalved() {}
  virtual void OnDeviceError() {}
  // A state, logit or direction was not finite.
  virtual void OnNonFinite(absl::string_view where) {}
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_OBSERVER_H_
