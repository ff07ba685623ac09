// An engine that hands every call on to another: tests change the ones that they mean to.
#ifndef STEER_TESTS_SERVER_RPC_FORWARDING_ENGINE_H_
#define STEER_TESTS_SERVER_RPC_FORWARDING_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/engine/engine.h"

namespace steer {

// `engine` outlives it. As thread-safe as that.
class ForwardingEngine : public Engine {
 public:
  explicit ForwardingEngine(Engine* engine) : engine_(engine) {}
  const ModelFacts& facts() const override { return engine_->facts(); }
  const EngineOptions& options() const override { return engine_->options(); }
  const Tokenizer& tokenizer() const override { return engine_->tokenizer(); }
  DirectionStore& store() const override { return engine_->store(); }
  absl::StatusOr<PreparedPrompt> Prepare(const std::string& user,
                                         const absl::optional<std::string>& system) const override {
    return engine_->Prepare(user, system);
  }
  absl::StatusOr<std::shared_ptr<const CompiledIntervention>> Compile(
      const InterventionSpec& spec, const std::string& field,
      std::vector<DirectionStore::Lease>* leases) const override {
    return engine_->Compile(spec, field, leases);
  }
  absl::StatusOr<JobCost> Cost(const FitJob& job) const override { return engine_->Cost(job); }
  absl::StatusOr<JobCost> Cost(const GenerateJob& job) const override { return engine_->Cost(job); }
  absl::StatusOr<JobCost> Cost(const EvaluateJob& job) const override { return engine_->Cost(job); }
  absl::Status Submit(FitJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<FitSink> sink) override {
    return engine_->Submit(std::move(job), std::move(control), std::move(sink));
  }
  absl::Status Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<GenerateSink> sink) override {
    return engine_->Submit(std::move(job), std::move(control), std::move(sink));
  }
  absl::Status Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<EvaluateSink> sink) override {
    return engine_->Submit(std::move(job), std::move(control), std::move(sink));
  }
  absl::Time last_heartbeat() const override { return engine_->last_heartbeat(); }
  std::pair<int64_t, int64_t> prefill_and_decode_steps() const override {
    return engine_->prefill_and_decode_steps();
  }

 protected:
  Engine* const engine_;
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_RPC_FORWARDING_ENGINE_H_
