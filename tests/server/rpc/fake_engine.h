// An engine without a model: rows take as long as a test says, numbers are made up, the store and
// the compiler are the real ones. Two layers, hidden size 4, 260 ids (bytes after 4 special ones).
#ifndef STEER_TESTS_SERVER_RPC_FAKE_ENGINE_H_
#define STEER_TESTS_SERVER_RPC_FAKE_ENGINE_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/engine/engine.h"

namespace steer {

inline constexpr char kFakeModel[] = "model-fingerprint-of-the-fake";
inline constexpr char kFakeNumerics[] = "numeric-fingerprint-of-the-fake";
inline constexpr char kFakeCompletion[] = "zqxcompletion";

// A set of the fake model fitted on the given prompt hashes; layer 0 is unusable (zero).
DirectionSet MakeFakeSet(const std::string& set_id, std::vector<std::string> fit_hashes,
                         bool with_states);

class FakeEngine final : public Engine {
 public:
  FakeEngine(DirectionStore* store, EngineObserver* observer);
  ~FakeEngine() override;

  const ModelFacts& facts() const override { return facts_; }
  const EngineOptions& options() const override { return options_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  DirectionStore& store() const override { return *store_; }
  absl::StatusOr<PreparedPrompt> Prepare(const std::string& user,
                                         const absl::optional<std::string>& system) const override;
  absl::StatusOr<std::shared_ptr<const CompiledIntervention>> Compile(
      const InterventionSpec& spec, const std::string& field,
      std::vector<DirectionStore::Lease>* leases) const override;
  absl::StatusOr<JobCost> Cost(const FitJob& job) const override;
  absl::StatusOr<JobCost> Cost(const GenerateJob& job) const override;
  absl::StatusOr<JobCost> Cost(const EvaluateJob& job) const override;
  absl::Status Submit(FitJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<FitSink> sink) override;
  absl::Status Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<GenerateSink> sink) override;
  absl::Status Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<EvaluateSink> sink) override;
  absl::Time last_heartbeat() const override;
  absl::Duration slowest_step() const override { return absl::Milliseconds(slowest_step_.load()); }
  absl::Status health() const override {
    return sound_ ? absl::OkStatus() : absl::InternalError("the canary row is wrong");
  }
  std::pair<int64_t, int64_t> prefill_and_decode_steps() const override { return {0, 0}; }

  // Knobs of tests.
  EngineOptions& mutable_options() { return options_; }
  // While blocked, rows wait; cancellation and deadlines still end them.
  void Block(bool blocked) { blocked_ = blocked; }
  // Age that the heartbeat shows.
  void SetHeartbeatAge(absl::Duration age) { heartbeat_age_ = absl::ToInt64Milliseconds(age); }
  void SetSlowestStep(absl::Duration took) { slowest_step_ = absl::ToInt64Milliseconds(took); }
  void SetSound(bool sound) { sound_ = sound; }
  // What the next jobs end with instead of a result.
  void FailWith(absl::Status status);
  // What every Evaluate needs at least.
  void SetLeastSeconds(double seconds) { least_seconds_ = seconds; }
  // Pieces of text a Generate row sends.
  void SetPieces(int pieces) { pieces_ = pieces; }
  int jobs_ended() const { return jobs_ended_; }
  int jobs_submitted() const { return jobs_submitted_; }
  // The last Evaluate job as it came.
  EvaluateJob TakeLastEvaluate();
  FitJob TakeLastFit();
  GenerateJob TakeLastGenerate();

 private:
  static std::string SetId(const FitJob& job);
  absl::Status Enqueue(std::function<void()> job);
  // OK if the row may run.
  absl::Status Row(const CallControl& control);
  void Work();

  ModelFacts facts_;
  EngineOptions options_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  DirectionStore* const store_;
  EngineObserver* const observer_;
  std::atomic<bool> blocked_{false};
  std::atomic<int64_t> heartbeat_age_{0}, slowest_step_{0};
  std::atomic<bool> sound_{true};
  std::atomic<double> least_seconds_{0};
  std::atomic<int> pieces_{3};
  std::atomic<int> jobs_ended_{0};
  std::atomic<int> jobs_submitted_{0};
  absl::Mutex mutex_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  EvaluateJob last_evaluate_ ABSL_GUARDED_BY(mutex_);
  FitJob last_fit_ ABSL_GUARDED_BY(mutex_);
  GenerateJob last_generate_ ABSL_GUARDED_BY(mutex_);
  // Several, so that one blocked call does not hide what another does.
  std::vector<std::thread> threads_;
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_RPC_FAKE_ENGINE_H_
