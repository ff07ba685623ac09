#include "server/engine/engine.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/engine/cost.h"
#include "server/engine/engine_loop.h"
#include "server/engine/evaluate_call.h"
#include "server/engine/fit_call.h"
#include "server/engine/generate_call.h"
#include "server/engine/setup.h"
#include "server/steering/direction_check.h"

namespace steer {
namespace {

class EngineImpl : public Engine {
 public:
  EngineImpl(DirectionStore* store, EngineObserver* observer)
      : store_(store), observer_(observer != nullptr ? observer : &no_observer_) {}

  ~EngineImpl() override {
    if (loop_ != nullptr) loop_->Stop();
    thread_.join();
  }

  // Once, before all else. Loads on the engine thread, whose OpenMP team will do the work, and
  // waits for it.
  absl::Status Start(EngineOptions options) {
    absl::Notification loaded;
    absl::Status status;
    thread_ = std::thread([&, options = std::move(options)]() mutable {
      auto engine = LoadEngine(std::move(options), observer_);
      status = engine.status();
      if (engine.ok()) {
        loaded_ = *std::move(engine);
        loop_ = std::make_unique<EngineLoop>(
            loaded_.stepper.get(), loaded_.shape, loaded_.facts.vocabulary,
            loaded_.options.canary_period, observer_, loaded_.options.on_fatal);
        status = loop_->CheckCanary();
      }
      EngineLoop* loop = status.ok() ? loop_.get() : nullptr;
      loaded.Notify();  // `status` and `loaded` are gone after this
      if (loop != nullptr) loop->Run();
    });
    loaded.WaitForNotification();
    return status;
  }

  const ModelFacts& facts() const override { return loaded_.facts; }
  const EngineOptions& options() const override { return loaded_.options; }
  const Tokenizer& tokenizer() const override { return *loaded_.frontend->tokenizer(); }
  DirectionStore& store() const override { return *store_; }

  absl::StatusOr<PreparedPrompt> Prepare(const std::string& user,
                                         const absl::optional<std::string>& system) const override {
    return loaded_.frontend->Prepare(user, system);
  }

  absl::StatusOr<std::shared_ptr<const CompiledIntervention>> Compile(
      const InterventionSpec& spec, const std::string& field,
      std::vector<DirectionStore::Lease>* leases) const override {
    auto resolve = [&](const DirectionRef& ref) -> absl::StatusOr<ResolvedDirection> {
      STEER_ASSIGN_OR_RETURN(DirectionStore::Lease lease, store_->Acquire(ref.set_id));
      leases->push_back(std::move(lease));
      STEER_ASSIGN_OR_RETURN(StoredSet stored, store_->Get(ref.set_id));
      if (absl::Status same = CheckSetModel(*stored.set, facts().name, facts().model_fingerprint);
          !same.ok()) {
        return Annotate(same, field);
      }
      return ResolveDirection(*stored.set, ref);
    };
    STEER_ASSIGN_OR_RETURN(
        CompiledIntervention compiled,
        CompileIntervention(spec, {facts().layers, facts().hidden}, resolve, field));
    return std::make_shared<const CompiledIntervention>(std::move(compiled));
  }

  absl::StatusOr<JobCost> Cost(const FitJob& job) const override {
    STEER_ASSIGN_OR_RETURN(JobCost cost, CostFor(job));
    const std::string set_id = FitCall::SetId(job, facts());
    STEER_RETURN_IF_ERROR(store_->CheckRoom(set_id));
    if (store_->Get(set_id).ok()) cost.least_seconds = 0;  // no row will run
    return cost;
  }
  absl::StatusOr<JobCost> Cost(const GenerateJob& job) const override { return CostFor(job); }
  absl::StatusOr<JobCost> Cost(const EvaluateJob& job) const override { return CostFor(job); }

  absl::Status Submit(FitJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<FitSink> sink) override {
    STEER_RETURN_IF_ERROR(Cost(job).status());
    return loop_->Enqueue(std::make_shared<FitCall>(std::move(job), std::move(control),
                                                    std::move(sink), facts(), store_, observer_));
  }
  absl::Status Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<GenerateSink> sink) override {
    STEER_RETURN_IF_ERROR(CostFor(job).status());
    return loop_->Enqueue(std::make_shared<GenerateCall>(std::move(job), std::move(control),
                                                         std::move(sink), facts(),
                                                         loaded_.frontend->tokenizer()));
  }
  absl::Status Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<EvaluateSink> sink) override {
    STEER_RETURN_IF_ERROR(CostFor(job).status());
    return loop_->Enqueue(std::make_shared<EvaluateCall>(std::move(job), std::move(control),
                                                         std::move(sink), facts(),
                                                         loaded_.frontend->tokenizer(), observer_));
  }

  absl::Time last_heartbeat() const override { return loop_->last_heartbeat(); }
  absl::Duration slowest_step() const override { return loop_->slowest_step(); }
  absl::Status health() const override { return loop_->health(); }
  std::pair<int64_t, int64_t> prefill_and_decode_steps() const override { return loop_->steps(); }

 private:
  template <typename Job>
  absl::StatusOr<JobCost> CostFor(const Job& job) const {
    return CostOf(job, loaded_.options, loaded_.facts, loaded_.decoder->kv_bytes_per_token());
  }

  EngineObserver no_observer_;
  DirectionStore* store_;
  EngineObserver* observer_;
  LoadedEngine loaded_;
  std::unique_ptr<EngineLoop> loop_;  // after what it uses
  std::thread thread_;                // last: it uses everything above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(EngineOptions options, DirectionStore* store,
                                                       EngineObserver* observer) {
  auto engine = std::make_unique<EngineImpl>(store, observer);
  STEER_RETURN_IF_ERROR(engine->Start(std::move(options)));
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace steer
