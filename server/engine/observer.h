// What the engine tells telemetry. Implementations must be cheap and thread-safe: calls come from
// the engine thread, a few a step and row. Durations are of the wall clock and may be negative where
// it was set back.
#ifndef STEER_SERVER_ENGINE_OBSERVER_H_
#define STEER_SERVER_ENGINE_OBSERVER_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "server/steering/intervention_class.h"

namespace steer {

enum class StepKind { kPrefill, kDecode };
enum class RowKind { kFit, kEvaluate, kGenerate, kReference };
// How a row ended: well, by its own end (kPromptEnd: it was to generate nothing), or with its call.
enum class RowFinish {
  kEndOfTurn,
  kLength,
  kCertain,
  kPromptEnd,
  kCancelled,
  kDeadline,
  kStopping,
  kFailed
};
enum class FitOutcome { kFitted, kCached, kFailed };
// kTokenize: templates and tokens, before the engine has the job. kForward: from the first row's
// step to the last row's end. kAccumulate: sums over states, within kForward. kFinish: directions
// and their statistics. kStore: digest and disk.
enum class FitPhase { kTokenize, kForward, kAccumulate, kFinish, kStore };

// A forward pass. `tokens` that rows used of `shape` that were computed.
struct StepReport {
  StepKind kind = StepKind::kPrefill;
  int64_t rows = 0;
  int64_t tokens = 0;
  int64_t shape = 0;
  int64_t interventions = 0;  // distinct ones among its rows
  absl::Duration took;
};

// A row that ended well.
struct RowReport {
  RowKind kind = RowKind::kEvaluate;
  RowFinish finish = RowFinish::kPromptEnd;
  InterventionClass intervention;
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  int64_t edits = 0;                      // (token, site) pairs
  int64_t sites = 0;                      // distinct sites edited
  double dose = 0;                        // mean |dx| / |x| over its edits
  absl::optional<double> residual;        // largest |<x, r>| / |x| left, where it ablates
  absl::Duration prefill;                 // from its first step to the prompt's end
  absl::optional<absl::Duration> decode;  // from its first to its last token
};

struct OutcomeReport {
  InterventionClass intervention;
  bool refused = false;
  bool quality_judged = false;
  bool degenerate = false;
  absl::optional<double> kl;  // to the unedited row, nats
};

class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void OnStep(const StepReport& step) {}
  virtual void OnRow(const RowReport& row) {}
  // Rows that had begun and ended with their call.
  virtual void OnRowDropped(RowKind kind, RowFinish why) {}
  virtual void OnOutcome(const OutcomeReport& outcome) {}
  // A call's first step began, so long after the engine was given it.
  virtual void OnQueueWait(RowKind kind, absl::Duration waited) {}
  // A Generate call's first token, so long after its arrival.
  virtual void OnFirstToken(const InterventionClass& intervention, absl::Duration after) {}
  // Between two tokens of one row.
  virtual void OnToken(const InterventionClass& intervention, absl::Duration gap) {}
  virtual void OnFit(FitOutcome outcome) {}
  virtual void OnFitPhase(FitPhase phase, absl::Duration took) {}
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
