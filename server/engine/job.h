// What the engine is asked to do, and how it answers. No torch, no protobuf: rpc/ translates to and
// from these.
#ifndef STEER_SERVER_ENGINE_JOB_H_
#define STEER_SERVER_ENGINE_JOB_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/readout/readout.h"
#include "server/steering/direction_set.h"
#include "server/steering/direction_store.h"
#include "server/steering/intervention.h"

namespace steer {

// Shared between a call and its rows. The engine looks at it between steps; after a cancellation or
// the deadline the rows are gone within one step and the sink's OnDone carries CANCELLED or
// DEADLINE_EXCEEDED.
struct CallControl {
  absl::Time deadline = absl::InfiniteFuture();
  absl::Time arrival = absl::Now();  // of the caller's request
  std::atomic<bool> cancelled{false};
  // Set by the engine: a step has run for the call.
  std::atomic<bool> started{false};
};

// A templated, tokenised prompt.
struct PreparedPrompt {
  std::vector<int32_t> ids;
  std::string hash;  // PromptHash of the user text
};

struct DecodeSpec {
  int32_t max_new_tokens = 0;
  double repetition_penalty = 0;  // 0 or 1: none
  double temperature = 0;         // 0: greedy
  double top_p = 1;
  uint64_t seed = 0;
};

enum class FinishReason { kEndOfTurn, kLength, kCertain };

// See proto Receipt.
struct ReceiptCounts {
  int64_t rows = 0;
  int64_t tokens = 0;
  int64_t generated_tokens = 0;
  int64_t steps = 0;
  int64_t edits = 0;
  int64_t expected_edits = 0;
  int sites = 0;
  double dose_sum = 0;  // mean relative dose = dose_sum / edits
  double largest_residual = 0;
  std::vector<std::string> direction_digests;
  std::vector<std::string> content_digests;
};

// Sinks are called on the engine thread and must not block. After OnDone nothing more is called.
// The engine keeps the sink alive until then.

struct FitJob {
  std::vector<PreparedPrompt> harmful;
  std::vector<PreparedPrompt> harmless;
  std::vector<int> positions = {-1};
  bool keep_states = true;
};
struct FitResult {
  StoredSet stored;
  bool cached = false;
};
class FitSink {
 public:
  virtual ~FitSink() = default;
  virtual void OnProgress(int64_t rows_done, int64_t rows_total) = 0;
  virtual void OnDone(absl::StatusOr<FitResult> result) = 0;
};

struct GenerateJob {
  PreparedPrompt prompt;
  std::shared_ptr<const CompiledIntervention> intervention;  // null or empty: none
  std::vector<DirectionStore::Lease> leases;
  DecodeSpec decode;
};
struct GenerateResult {
  FinishReason finish = FinishReason::kLength;
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  std::string token_digest;
  ReceiptCounts receipt;
};
class GenerateSink {
 public:
  virtual ~GenerateSink() = default;
  // Final text since the last call; never empty.
  virtual void OnText(std::string text) = 0;
  virtual void OnDone(absl::StatusOr<GenerateResult> result) = 0;
};

struct EvaluateArm {
  std::string name;
  std::shared_ptr<const CompiledIntervention> intervention;  // null or empty: baseline
  std::vector<int>
      prompts;  // indices; rows that the caller holds are already left out (may be empty then)
};
struct EvaluateJob {
  std::vector<PreparedPrompt> prompts;
  std::vector<EvaluateArm> arms;
  std::vector<DirectionStore::Lease> leases;
  DecodeSpec decode;
  std::shared_ptr<const Readout> readout;
  bool judge_quality = false;
  bool scores = false;
  std::vector<int32_t> refusal_token_ids;  // sorted; used if scores
  bool decode_full_window = false;
};
struct RowOutcome {
  int arm = 0;
  int prompt = 0;
  bool refused = false;
  bool quality_judged = false;
  bool degenerate = false;
  double refusal_log_odds = 0;
  double kl = 0;
  int64_t generated_tokens = 0;
  FinishReason finish = FinishReason::kLength;
  std::string token_digest;
};
class EvaluateSink {
 public:
  virtual ~EvaluateSink() = default;
  virtual void OnProgress(int64_t rows_done, int64_t rows_total) = 0;
  virtual void OnOutcome(const RowOutcome& outcome) = 0;
  // After the last outcome of the arm; also for an arm without rows.
  virtual void OnArmDone(int arm, const ReceiptCounts& receipt) = 0;
  // Receipt over all rows, reference rows for KL included.
  virtual void OnDone(absl::StatusOr<ReceiptCounts> receipt) = 0;
};

// What validate_only answers; see proto Cost.
struct JobCost {
  int64_t rows = 0;
  int64_t prompt_tokens = 0;
  int64_t max_generated_tokens = 0;
  int64_t kv_bytes = 0;
  int64_t host_bytes = 0;
  double estimated_seconds = 0;
  // No machine like this one ends the job sooner: half of what its prompts take at the measured
  // rate (and of its decoding where every row decodes its whole window); 0 where nothing is known
  // or nothing runs.
  double least_seconds = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_JOB_H_
