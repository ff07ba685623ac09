// The engine: one thread that owns torch, a model, and rows of all kinds together. rpc/ sees this
// header and job.h only.
//
// Thread rule: every method may be called from any thread. Sinks are called on the engine thread.
#ifndef STEER_SERVER_ENGINE_ENGINE_H_
#define STEER_SERVER_ENGINE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "server/engine/job.h"
#include "server/engine/observer.h"
#include "server/steering/direction_store.h"
#include "server/tokenizer/chat_template.h"
#include "server/tokenizer/tokenizer.h"

namespace steer {

struct EngineOptions {
  std::string model_folder;
  std::string model_name;        // empty: the folder's base name
  std::string device = "cpu";    // "cpu" or "cuda"
  std::string dtype = "auto";    // "float32", "bfloat16", "auto" (bfloat16 where the hardware has
                                 // units for it, else float32)
  int threads = 0;               // torch threads; 0: all cores
  int32_t decode_rows = 32;      // R
  int32_t prefill_tokens = 256;  // C
  int32_t max_context_tokens = 1024;  // of one row, at most the model's
  int64_t kv_tokens = 0;  // of the arena; 0: decode_rows * max_context_tokens, at most 64 Ki
  int32_t max_new_tokens = 512;
  int32_t max_prompts = 4096;
  int32_t max_arms = 512;
  int64_t max_rows = 262144;
  int64_t max_state_bytes = int64_t{1} << 30;
  absl::Duration canary_period = absl::Seconds(30);  // of idleness, see Engine::health
  // See ParseMemoryLimit; empty: all of the device's or, on a CPU, what the process may use.
  std::string memory_limit;
  int64_t device_memory = 0;  // bytes of the CUDA device; 0: unknown
  // Called once, on the engine thread, when the device has failed for good.
  std::function<void(const absl::Status&)> on_fatal;
  // For tests: see Stepper::set_fault.
  std::function<void(size_t rows)> step_fault;
  bool measure_rates = true;  // a short warm-up measures prefill and decode rates
};

// Facts about the loaded model; see proto GetModelResponse.
struct ModelFacts {
  std::string name, family, device, dtype;
  int64_t layers = 0, hidden = 0, vocabulary = 0, parameters = 0;
  std::string model_fingerprint, numeric_fingerprint;
  std::vector<std::pair<std::string, std::string>> numeric_facts;
  std::vector<int32_t> end_of_turn;
  std::vector<int32_t> refusal_token_ids;
  std::string chat_template_digest;
  double suggested_repetition_penalty = 0;
  double prefill_tokens_per_second = 0;
  double decode_steps_per_second = 0;
  // Bytes, from the arithmetic before loading (memory_plan.h); the limit is 0 where none is known.
  int64_t weights_bytes = 0, kv_arena_bytes = 0, work_bytes = 0, memory_limit_bytes = 0;
};

class Engine {
 public:
  // Loads the model, warms up, runs the canary row and starts the thread. `store` and `observer` outlive the engine;
  // `observer` may be null.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(EngineOptions options,
                                                        DirectionStore* store,
                                                        EngineObserver* observer);
  // Cancels what runs (sinks get UNAVAILABLE) and joins.
  virtual ~Engine() = default;

  virtual const ModelFacts& facts() const = 0;
  virtual const EngineOptions& options() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  virtual DirectionStore& store() const = 0;

  // Renders and tokenises; pure, slow, meant for an edge pool. INVALID_ARGUMENT for text that is
  // not UTF-8, has a NUL, or is too long.
  virtual absl::StatusOr<PreparedPrompt> Prepare(
      const std::string& user, const absl::optional<std::string>& system) const = 0;

  // Resolves and compiles against the store; INVALID_ARGUMENT with all violations under `field`,
  // NOT_FOUND, FAILED_PRECONDITION. Appends a lease for every set named.
  virtual absl::StatusOr<std::shared_ptr<const CompiledIntervention>> Compile(
      const InterventionSpec& spec, const std::string& field,
      std::vector<DirectionStore::Lease>* leases) const = 0;

  // Cost of a job; INVALID_ARGUMENT naming the limit if it can never run here. Submit refuses
  // exactly what these refuse.
  virtual absl::StatusOr<JobCost> Cost(const FitJob& job) const = 0;
  virtual absl::StatusOr<JobCost> Cost(const GenerateJob& job) const = 0;
  virtual absl::StatusOr<JobCost> Cost(const EvaluateJob& job) const = 0;

  // Queues a job. An error means that the sink will never be called; OK means that OnDone will be
  // called once.
  virtual absl::Status Submit(FitJob job, std::shared_ptr<CallControl> control,
                              std::shared_ptr<FitSink> sink) = 0;
  virtual absl::Status Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                              std::shared_ptr<GenerateSink> sink) = 0;
  virtual absl::Status Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                              std::shared_ptr<EvaluateSink> sink) = 0;

  // When the engine thread last finished a step or found itself idle; health is computed from its
  // age.
  virtual absl::Time last_heartbeat() const = 0;
  // The longest step so far: a heartbeat is old only in proportion to it.
  virtual absl::Duration slowest_step() const { return absl::ZeroDuration(); }
  // What the last canary row showed: a fixed row that runs twice before Create returns and
  // whenever the engine was idle for `canary_period`, and must be finite and bit-identical.
  virtual absl::Status health() const { return absl::OkStatus(); }
  // Forward passes so far, by kind; counters that tests compare (contract 5).
  virtual std::pair<int64_t, int64_t> prefill_and_decode_steps() const = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_ENGINE_H_
