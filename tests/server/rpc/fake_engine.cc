#include "tests/server/rpc/fake_engine.h"

#include <algorithm>
#include <cmath>

#include "common/digest.h"
#include "common/errors.h"
#include "common/prompt_form.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Every row of Evaluate counts as ablated.
constexpr InterventionClass kFakeEdit = {ArmKind::kAblate, DirectionKind::kFitted};

RowReport ReportOf(RowKind kind, int64_t prompt_tokens, int64_t generated_tokens, int64_t edits) {
  RowReport row;
  row.kind = kind;
  row.prompt_tokens = prompt_tokens;
  row.generated_tokens = generated_tokens;
  row.edits = edits;
  if (edits > 0) row.intervention = kFakeEdit;
  return row;
}

constexpr int kLayers = 2;
constexpr int kHidden = 4;
constexpr int kSpecial = 4;

class ByteTokenizer final : public Tokenizer {
 public:
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(kSpecial + static_cast<unsigned char>(c));
    return ids;
  }
  std::string Decode(absl::Span<const int32_t> ids, bool) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (id >= kSpecial) text.push_back(static_cast<char>(id - kSpecial));
    }
    return text;
  }
  int32_t vocabulary_size() const override { return kSpecial + 256; }
  absl::optional<int32_t> FindToken(absl::string_view) const override { return absl::nullopt; }
  std::string Piece(int32_t id) const override { return absl::StrCat("piece", id); }
  bool IsSpecial(int32_t id) const override { return id < kSpecial; }
};

}  // namespace

DirectionSet MakeFakeSet(const std::string& set_id, std::vector<std::string> fit_hashes,
                         bool with_states) {
  DirectionSet set;
  set.set_id = set_id;
  set.model_fingerprint = kFakeModel;
  set.numeric_fingerprint = kFakeNumerics;
  set.positions = {-1};
  set.layers = kLayers;
  set.hidden = kHidden;
  set.harmful_prompts = 2;
  set.harmless_prompts = 2;
  set.directions = {0, 0, 0, 0, 3, 0, 4, 0};
  set.harmful_means.assign((2 * kLayers + 1) * kHidden, 0.5f);
  set.harmless_means.assign((2 * kLayers + 1) * kHidden, 0.25f);
  set.harmful_mean_norms.assign(2 * kLayers + 1, 1);
  set.harmless_mean_norms.assign(2 * kLayers + 1, 1);
  if (with_states) set.states.assign(4 * kLayers * kHidden, 0.125f);
  for (int layer = 0; layer < kLayers; ++layer) {
    LayerReport report;
    report.layer = layer;
    report.usable = layer > 0;
    report.norm = layer > 0 ? 5 : 0;
    report.auc = layer > 0 ? 1 : 0.5;
    report.mean_state_norm = 1;
    report.direction_digest = DirectionDigest(set.Direction(0, layer));
    set.reports.push_back(report);
  }
  std::sort(fit_hashes.begin(), fit_hashes.end());
  set.fit_prompt_hashes = std::move(fit_hashes);
  set.create_time = absl::Now();
  set.content_digest = ContentDigest(set);
  return set;
}

FakeEngine::FakeEngine(DirectionStore* store, EngineObserver* observer)
    : tokenizer_(std::make_shared<ByteTokenizer>()), store_(store), observer_(observer) {
  facts_.name = "fake";
  facts_.family = "llama";
  facts_.device = "cpu";
  facts_.dtype = "float32";
  facts_.layers = kLayers;
  facts_.hidden = kHidden;
  facts_.vocabulary = kSpecial + 256;
  facts_.parameters = 4242;
  facts_.model_fingerprint = kFakeModel;
  facts_.numeric_fingerprint = kFakeNumerics;
  facts_.numeric_facts = {{"threads", "1"}};
  facts_.end_of_turn = {2, 3};
  facts_.refusal_token_ids = {77, 44};
  facts_.chat_template_digest = Sha256Hex("template");
  facts_.suggested_repetition_penalty = 1.1;
  facts_.weights_bytes = 1000;
  facts_.kv_arena_bytes = 200;
  facts_.work_bytes = 30;
  facts_.memory_limit_bytes = 4000;
  options_.kv_tokens = 400;
  options_.max_context_tokens = 200;
  options_.max_new_tokens = 64;
  options_.max_prompts = 8;
  options_.max_arms = 4;
  options_.max_rows = 16;
  options_.decode_rows = 6;
  options_.prefill_tokens = 48;
  for (int i = 0; i < 4; ++i) threads_.emplace_back([this] { Work(); });
}

FakeEngine::~FakeEngine() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::StatusOr<PreparedPrompt> FakeEngine::Prepare(
    const std::string& user, const absl::optional<std::string>& system) const {
  if (system) {
    return absl::InvalidArgumentError("the chat template has no place for a system turn");
  }
  PreparedPrompt prompt;
  prompt.ids = {0, 1};
  STEER_ASSIGN_OR_RETURN(const std::vector<int32_t> text, tokenizer_->Encode(user));
  prompt.ids.insert(prompt.ids.end(), text.begin(), text.end());
  STEER_ASSIGN_OR_RETURN(prompt.hash, PromptHash(user));
  return prompt;
}

absl::StatusOr<std::shared_ptr<const CompiledIntervention>> FakeEngine::Compile(
    const InterventionSpec& spec, const std::string& field,
    std::vector<DirectionStore::Lease>* leases) const {
  const auto resolve = [&](const DirectionRef& ref) -> absl::StatusOr<ResolvedDirection> {
    STEER_ASSIGN_OR_RETURN(DirectionStore::Lease lease, store_->Acquire(ref.set_id));
    STEER_ASSIGN_OR_RETURN(const StoredSet stored, store_->Get(ref.set_id));
    leases->push_back(std::move(lease));
    return ResolveDirection(*stored.set, ref);
  };
  STEER_ASSIGN_OR_RETURN(CompiledIntervention compiled,
                         CompileIntervention(spec, {kLayers, kHidden}, resolve, field));
  return std::make_shared<const CompiledIntervention>(std::move(compiled));
}

std::string FakeEngine::SetId(const FitJob& job) {
  std::vector<std::vector<int32_t>> harmful, harmless;
  for (const PreparedPrompt& p : job.harmful) harmful.push_back(p.ids);
  for (const PreparedPrompt& p : job.harmless) harmless.push_back(p.ids);
  return DirectionSetId(kFakeModel, kFakeNumerics, harmful, harmless, job.positions,
                        job.keep_states);
}

absl::StatusOr<JobCost> FakeEngine::Cost(const FitJob& job) const {
  JobCost cost;
  cost.rows = static_cast<int64_t>(job.harmful.size() + job.harmless.size());
  if (job.keep_states && cost.rows > 7) {
    return ViolationsError({{"drop_states", "the states of 8 prompts do not fit"}});
  }
  STEER_RETURN_IF_ERROR(store_->CheckRoom(SetId(job)));
  return cost;
}

absl::StatusOr<JobCost> FakeEngine::Cost(const GenerateJob& job) const {
  JobCost cost;
  cost.rows = 1;
  cost.prompt_tokens = static_cast<int64_t>(job.prompt.ids.size());
  cost.max_generated_tokens = job.decode.max_new_tokens;
  cost.kv_bytes = 1000;
  return cost;
}

absl::StatusOr<JobCost> FakeEngine::Cost(const EvaluateJob& job) const {
  JobCost cost;
  for (const EvaluateArm& arm : job.arms) cost.rows += static_cast<int64_t>(arm.prompts.size());
  cost.max_generated_tokens = cost.rows * job.decode.max_new_tokens;
  cost.estimated_seconds = 1.5;
  cost.least_seconds = least_seconds_;
  return cost;
}

absl::Status FakeEngine::Enqueue(std::function<void()> job) {
  absl::MutexLock lock(&mutex_);
  ++jobs_submitted_;
  jobs_.push_back(std::move(job));
  return absl::OkStatus();
}

absl::Status FakeEngine::Row(const CallControl& control) {
  while (true) {
    if (control.cancelled) return absl::CancelledError("cancelled");
    if (absl::Now() >= control.deadline) return absl::DeadlineExceededError("late");
    {
      absl::MutexLock lock(&mutex_);
      if (!failure_.ok()) return failure_;
      if (stopping_) return absl::UnavailableError("stopping");
    }
    if (!blocked_) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(2));
  }
}

absl::Status FakeEngine::Submit(FitJob job, std::shared_ptr<CallControl> control,
                                std::shared_ptr<FitSink> sink) {
  {
    absl::MutexLock lock(&mutex_);
    last_fit_ = job;
  }
  return Enqueue([this, job = std::move(job), control, sink] {
    const int64_t rows = static_cast<int64_t>(job.harmful.size() + job.harmless.size());
    for (int64_t i = 0; i < rows; ++i) {
      if (absl::Status status = Row(*control); !status.ok()) return sink->OnDone(status);
      sink->OnProgress(i, rows);
      observer_->OnRow(ReportOf(RowKind::kFit, 5, 0, 0));
    }
    std::vector<std::string> hashes;
    for (const PreparedPrompt& p : job.harmful) hashes.push_back(p.hash);
    for (const PreparedPrompt& p : job.harmless) hashes.push_back(p.hash);
    const std::string id = SetId(job);
    FitResult result;
    result.cached = store_->Get(id).ok();
    DirectionSet set = MakeFakeSet(id, hashes, job.keep_states);
    set.harmful_prompts = static_cast<int64_t>(job.harmful.size());
    set.harmless_prompts = static_cast<int64_t>(job.harmless.size());
    if (!set.states.empty()) set.states.assign(hashes.size() * kLayers * kHidden, 0.125f);
    set.content_digest = ContentDigest(set);
    if (absl::Status status = store_->Put(set); !status.ok()) return sink->OnDone(status);
    absl::StatusOr<StoredSet> stored = store_->Get(id);
    if (!stored.ok()) return sink->OnDone(stored.status());
    result.stored = *stored;
    sink->OnDone(std::move(result));
  });
}

absl::Status FakeEngine::Submit(GenerateJob job, std::shared_ptr<CallControl> control,
                                std::shared_ptr<GenerateSink> sink) {
  {
    absl::MutexLock lock(&mutex_);
    last_generate_.prompt = job.prompt;
    last_generate_.intervention = job.intervention;
    last_generate_.decode = job.decode;
  }
  auto shared = std::make_shared<GenerateJob>(std::move(job));
  return Enqueue([this, job = std::move(shared), control, sink] {
    for (int i = 0; i < pieces_; ++i) {
      if (absl::Status status = Row(*control); !status.ok()) return sink->OnDone(status);
      sink->OnText(absl::StrCat(kFakeCompletion, i, " "));
    }
    if (absl::Status status = Row(*control); !status.ok()) return sink->OnDone(status);
    GenerateResult result;
    result.finish = FinishReason::kEndOfTurn;
    result.prompt_tokens = static_cast<int64_t>(job->prompt.ids.size());
    result.generated_tokens = pieces_;
    result.token_digest = Sha256Hex("tokens");
    result.receipt.rows = 1;
    result.receipt.edits = job->intervention == nullptr ? 0 : 4;
    result.receipt.expected_edits = result.receipt.edits;
    result.receipt.dose_sum = result.receipt.edits * 0.5;
    sink->OnDone(std::move(result));
  });
}

absl::Status FakeEngine::Submit(EvaluateJob job, std::shared_ptr<CallControl> control,
                                std::shared_ptr<EvaluateSink> sink) {
  auto shared = std::make_shared<EvaluateJob>(std::move(job));
  {
    absl::MutexLock lock(&mutex_);
    EvaluateJob& last = last_evaluate_;
    last = EvaluateJob();
    last.prompts = shared->prompts;
    last.arms = shared->arms;
    last.decode = shared->decode;
    last.readout = shared->readout;
    last.judge_quality = shared->judge_quality;
    last.scores = shared->scores;
    last.refusal_token_ids = shared->refusal_token_ids;
    last.decode_full_window = shared->decode_full_window;
  }
  return Enqueue([this, job = std::move(shared), control, sink] {
    ReceiptCounts all;
    int64_t total = 0;
    for (const EvaluateArm& arm : job->arms) total += static_cast<int64_t>(arm.prompts.size());
    for (size_t a = 0; a < job->arms.size(); ++a) {
      ReceiptCounts receipt;
      for (const int prompt : job->arms[a].prompts) {
        if (absl::Status status = Row(*control); !status.ok()) return sink->OnDone(status);
        RowOutcome outcome;
        outcome.arm = static_cast<int>(a);
        outcome.prompt = prompt;
        outcome.refused = prompt % 2 == 1;
        outcome.quality_judged = job->judge_quality;
        outcome.degenerate = prompt % 3 == 2;
        outcome.refusal_log_odds = -1.5;
        outcome.kl = 0.25;
        outcome.generated_tokens = 7;
        outcome.finish = FinishReason::kCertain;
        outcome.token_digest = Sha256Hex("tokens");
        ++receipt.rows;
        sink->OnOutcome(outcome);
        sink->OnProgress(all.rows + receipt.rows, total);
        observer_->OnRow(ReportOf(RowKind::kEvaluate, 5, 7, 11));
        observer_->OnOutcome({kFakeEdit, outcome.refused, outcome.quality_judged,
                              outcome.degenerate, absl::nullopt});
      }
      all.rows += receipt.rows;
      all.generated_tokens += 7 * receipt.rows;
      sink->OnArmDone(static_cast<int>(a), receipt);
    }
    sink->OnDone(all);
  });
}

absl::Time FakeEngine::last_heartbeat() const {
  return absl::Now() - absl::Milliseconds(heartbeat_age_.load());
}

void FakeEngine::FailWith(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  failure_ = std::move(status);
}

EvaluateJob FakeEngine::TakeLastEvaluate() {
  absl::MutexLock lock(&mutex_);
  return std::move(last_evaluate_);
}

FitJob FakeEngine::TakeLastFit() {
  absl::MutexLock lock(&mutex_);
  return std::move(last_fit_);
}

GenerateJob FakeEngine::TakeLastGenerate() {
  absl::MutexLock lock(&mutex_);
  return std::move(last_generate_);
}

void FakeEngine::Work() {
  while (true) {
    std::function<void()> job;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !jobs_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
    // The job holds the leases of its sets.
    job = nullptr;
    ++jobs_ended_;
  }
}

}  // namespace steer
