#include "server/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/engine/cost.h"
#include "server/engine/evaluate_call.h"
#include "server/engine/fit_call.h"
#include "server/engine/generate_call.h"
#include "server/engine/receipt.h"
#include "server/engine/sampler.h"
#include "server/engine/scheduler.h"
#include "server/engine/setup.h"
#include "server/steering/direction_check.h"

namespace steer {
namespace {

class EngineImpl : public Engine {
 public:
  EngineImpl(DirectionStore* store, EngineObserver* observer)
      : store_(store), observer_(observer != nullptr ? observer : &no_observer_) {}

  ~EngineImpl() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  // Loads on the engine thread, whose OpenMP team will do the work, and waits for it.
  absl::Status Start(EngineOptions options) {
    absl::Notification loaded;
    absl::Status status;
    thread_ = std::thread([&, options = std::move(options)]() mutable {
      auto engine = LoadEngine(std::move(options));
      status = engine.status();
      if (engine.ok()) loaded_ = *std::move(engine);
      Beat();
      bool run = status.ok();
      loaded.Notify();  // `status` and `loaded` are gone after this
      if (run) Run();
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

  absl::StatusOr<JobCost> Cost(const FitJob& job) const override { return CostFor(job); }
  absl::StatusOr<JobCost> Cost(const GenerateJob& job) const override { return CostFor(job); }
  absl::StatusOr<JobCost> Cost(const EvaluateJob& job) const override { return CostFor(job); }

  absl::Status Submit(FitJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<FitSink> sink) override {
    STEER_RETURN_IF_ERROR(CostFor(job).status());
    return Enqueue(std::make_shared<FitCall>(std::move(job), std::move(control), std::move(sink),
                                             facts(), store_));
  }
  absl::Status Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<GenerateSink> sink) override {
    STEER_RETURN_IF_ERROR(CostFor(job).status());
    return Enqueue(std::make_shared<GenerateCall>(std::move(job), std::move(control),
                                                  std::move(sink), facts(),
                                                  loaded_.frontend->tokenizer()));
  }
  absl::Status Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                      std::shared_ptr<EvaluateSink> sink) override {
    STEER_RETURN_IF_ERROR(CostFor(job).status());
    return Enqueue(std::make_shared<EvaluateCall>(std::move(job), std::move(control),
                                                  std::move(sink), facts(),
                                                  loaded_.frontend->tokenizer(), observer_));
  }

  absl::Time last_heartbeat() const override { return absl::FromUnixNanos(heartbeat_.load()); }
  std::pair<int64_t, int64_t> prefill_and_decode_steps() const override {
    return {prefill_steps_.load(), decode_steps_.load()};
  }

 private:
  template <typename Job>
  absl::StatusOr<JobCost> CostFor(const Job& job) const {
    return CostOf(job, loaded_.options, loaded_.facts, loaded_.decoder->kv_bytes_per_token());
  }

  absl::Status Enqueue(std::shared_ptr<Call> call) {
    absl::MutexLock lock(&mutex_);
    if (stopping_) {
      return WithRetryDelay(
          MakeError(absl::StatusCode::kUnavailable, "STOPPING", "the server is stopping"),
          absl::Seconds(5));
    }
    incoming_.push_back(std::move(call));
    return absl::OkStatus();
  }

  void Beat() { heartbeat_.store(absl::ToUnixNanos(absl::Now())); }

  // Engine thread from here on.

  void Run() {
    Scheduler scheduler(loaded_.shape);
    while (TakeIncoming(&scheduler)) {
      EndCalls(&scheduler);
      if (!RunStep(&scheduler)) idle_ = true;
      Beat();
      observer_->OnLoad(static_cast<int64_t>(scheduler.calls().size()), scheduler.running(),
                        scheduler.kv_used());
    }
    absl::Status stopped = WithRetryDelay(
        MakeError(absl::StatusCode::kUnavailable, "STOPPING", "the server is stopping"),
        absl::Seconds(5));
    while (!scheduler.calls().empty()) EndCall(&scheduler, scheduler.calls().front(), stopped);
  }

  // Waits for work while there is none; false when stopping.
  bool TakeIncoming(Scheduler* scheduler) {
    absl::MutexLock lock(&mutex_);
    auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stopping_ || !incoming_.empty();
    };
    // Calls in progress but nothing to run cannot last: EndCalls ends what is complete. A short
    // wait keeps deadlines and the heartbeat going.
    if (idle_)
      mutex_.AwaitWithTimeout(absl::Condition(&has_work), scheduler->calls().empty()
                                                              ? absl::Seconds(1)
                                                              : absl::Milliseconds(1));
    idle_ = false;
    for (auto& call : incoming_) scheduler->AddCall(std::move(call));
    incoming_.clear();
    if (!stopping_) return true;
    return false;
  }

  void EndCall(Scheduler* scheduler, std::shared_ptr<Call> call, const absl::Status& status) {
    scheduler->RemoveCall(call.get());
    if (absl::StartsWith(ReasonOf(status), "NON_FINITE")) observer_->OnNonFinite(ReasonOf(status));
    call->Fail(status);
  }

  // Ends calls that were cancelled, are past their deadline, failed in the last step, or are
  // complete.
  void EndCalls(Scheduler* scheduler) {
    std::vector<std::shared_ptr<Call>> calls(scheduler->calls().begin(), scheduler->calls().end());
    for (auto& call : calls) {
      auto failure = failures_.find(call.get());
      if (failure != failures_.end()) {
        EndCall(scheduler, call, failure->second);
      } else if (call->control().cancelled) {
        EndCall(scheduler, call,
                MakeError(absl::StatusCode::kCancelled, "CANCELLED", "the caller cancelled"));
      } else if (absl::Now() > call->control().deadline) {
        EndCall(scheduler, call,
                MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED",
                          "the deadline passed"));
      } else if (!scheduler->HasRows(call.get()) && call->FinishIfComplete()) {
        scheduler->RemoveCall(call.get());
      }
    }
    failures_.clear();
  }

  // One forward pass; false if there was nothing to do.
  bool RunStep(Scheduler* scheduler) {
    std::vector<Row*> rows, finished;
    auto reader = [&](Row* row, absl::Span<const float> logits) {
      absl::StatusOr<bool> goes_on = ReadLogits(*row, logits);
      if (!goes_on.ok()) return Fail(row->call, goes_on.status());
      if (!*goes_on) finished.push_back(row);
    };
    absl::Time start = absl::Now();
    absl::Status status;
    int64_t tokens = 0;
    std::vector<PrefillPiece> pieces = scheduler->PlanPrefill();
    bool prefill = !pieces.empty();
    if (prefill) {
      for (const PrefillPiece& piece : pieces) {
        rows.push_back(piece.row);
        tokens += piece.count;
      }
      status = loaded_.stepper->Prefill(pieces, reader);
      ++prefill_steps_;
    } else {
      rows = scheduler->PlanDecode();
      if (rows.empty()) return false;
      tokens = static_cast<int64_t>(rows.size());
      status = loaded_.stepper->Decode(rows, reader);
      ++decode_steps_;
    }
    observer_->OnStep(
        prefill ? StepKind::kPrefill : StepKind::kDecode, static_cast<int64_t>(rows.size()), tokens,
        prefill ? loaded_.shape.prefill_tokens : loaded_.shape.decode_rows, absl::Now() - start);
    if (!status.ok()) {
      for (Row* row : rows) Fail(row->call, status);
      return true;
    }
    TellCalls(rows);
    for (Row* row : rows) {
      if (!prefill || !row->prompt_done()) continue;
      if (row->decode.max_new_tokens > 0) {
        scheduler->MoveToDecode(row);
      } else {
        finished.push_back(row);
      }
    }
    for (Row* row : finished) EndRow(scheduler, row);
    return true;
  }

  // What a row's new logits mean: scores at the prompt's end, then the next token. False when the
  // row is over.
  absl::StatusOr<bool> ReadLogits(Row& row, absl::Span<const float> logits) {
    if (row.generated.empty() && row.wants_prompt_logits)
      STEER_RETURN_IF_ERROR(row.call->OnPromptLogits(row, logits));
    if (row.decode.max_new_tokens == 0) return true;  // ends with the prompt, in RunStep
    STEER_ASSIGN_OR_RETURN(int32_t id,
                           ChooseToken(logits, row.decode, *row.prompt_ids, row.generated));
    row.generated.push_back(id);
    return row.call->OnToken(row);
  }

  void TellCalls(const std::vector<Row*>& rows) {
    std::map<Call*, std::vector<Row*>> by_call;
    for (Row* row : rows) by_call[row->call].push_back(row);
    for (auto& [call, own] : by_call) call->OnStep(own);
  }

  void EndRow(Scheduler* scheduler, Row* row) {
    std::unique_ptr<Row> taken = scheduler->Take(row);
    if (failures_.count(taken->call) > 0) return;
    absl::Status status = CheckEdits(*taken);
    if (status.ok()) status = taken->call->OnRowDone(*taken);
    if (!status.ok()) return Fail(taken->call, status);
    observer_->OnRow(taken->kind, taken->prompt_tokens(),
                     static_cast<int64_t>(taken->generated.size()), taken->tally.edits);
  }

  void Fail(Call* call, const absl::Status& status) { failures_.emplace(call, status); }

  EngineObserver no_observer_;
  DirectionStore* store_;
  EngineObserver* observer_;
  LoadedEngine loaded_;
  std::atomic<int64_t> heartbeat_{0};
  std::atomic<int64_t> prefill_steps_{0}, decode_steps_{0};
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Call>> incoming_ ABSL_GUARDED_BY(mutex_);
  bool idle_ = true;                        // engine thread
  std::map<Call*, absl::Status> failures_;  // engine thread; of the last step
  std::thread thread_;                      // last: it uses everything above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(EngineOptions options, DirectionStore* store,
                                                       EngineObserver* observer) {
  auto engine = std::make_unique<EngineImpl>(store, observer);
  STEER_RETURN_IF_ERROR(engine->Start(std::move(options)));
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace steer
