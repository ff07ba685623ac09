#include <algorithm>
#include <set>
#include <utility>

#include "common/digest.h"
#include "common/status_macros.h"
#include "server/rpc/handlers.h"
#include "server/rpc/prepare.h"
#include "server/rpc/progress_clock.h"
#include "server/rpc/replays.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"

namespace steer {
namespace {

using EvaluateStream = StreamCall<v1::EvaluateResponse>;
using Execution = Replays<v1::EvaluateResponse>::Execution;

class Sink final : public EvaluateSink {
 public:
  Sink(std::shared_ptr<Execution> execution, std::vector<std::string> prompt_hashes,
       std::vector<std::string> arm_names)
      : execution_(std::move(execution)),
        prompt_hashes_(std::move(prompt_hashes)),
        arm_names_(std::move(arm_names)) {}

  void OnProgress(int64_t rows_done, int64_t rows_total) override {
    if (!clock_.Due()) return;
    v1::EvaluateResponse response;
    response.mutable_progress()->set_rows_done(rows_done);
    response.mutable_progress()->set_rows_total(rows_total);
    execution_->Push(std::move(response));
  }

  void OnOutcome(const RowOutcome& outcome) override {
    v1::EvaluateResponse response;
    v1::Outcome* out = response.mutable_outcome();
    *out = ToProto(outcome);
    out->set_sequence(outcomes_++);
    out->set_prompt_hash(prompt_hashes_[outcome.prompt]);
    execution_->Push(std::move(response));
  }

  void OnArmDone(int arm, const ReceiptCounts& receipt) override {
    v1::EvaluateResponse response;
    v1::ArmResult* out = response.mutable_arm_result();
    out->set_arm(arm);
    out->set_name(arm_names_[arm]);
    *out->mutable_receipt() = ToProto(receipt, execution_->call().engine());
    execution_->Push(std::move(response));
  }

  void OnDone(absl::StatusOr<ReceiptCounts> receipt) override {
    AuditRecord& audit = execution_->call().audit();
    audit.counts["outcomes"] = outcomes_;
    if (!receipt.ok()) return execution_->Done(receipt.status());
    audit.counts["generated_tokens"] = receipt->generated_tokens;
    v1::EvaluateResponse response;
    *response.mutable_summary()->mutable_receipt() = ToProto(*receipt, execution_->call().engine());
    response.mutable_summary()->set_outcomes(outcomes_);
    execution_->Push(std::move(response));
    execution_->Done(absl::OkStatus());
  }

 private:
  const std::shared_ptr<Execution> execution_;
  const std::vector<std::string> prompt_hashes_;
  const std::vector<std::string> arm_names_;
  ProgressClock clock_;
  int64_t outcomes_ = 0;
};

const char* PurposeName(v1::Purpose purpose) {
  switch (purpose) {
    case v1::PURPOSE_SELECT:
      return "select";
    case v1::PURPOSE_TEST:
      return "test";
    case v1::PURPOSE_EXPLORE:
      return "explore";
    default:
      return "";
  }
}

// The rows of each arm that the caller does not hold.
std::vector<EvaluateArm> OpenRows(const v1::EvaluateRequest& request) {
  std::set<std::pair<int, int>> held;
  for (const v1::HeldRow& row : request.held()) held.emplace(row.arm(), row.prompt());
  std::vector<EvaluateArm> arms(request.arms_size());
  for (int a = 0; a < request.arms_size(); ++a) {
    arms[a].name = request.arms(a).name();
    for (const int prompt : request.arms(a).prompts()) {
      if (held.count({a, prompt}) == 0) arms[a].prompts.push_back(prompt);
    }
  }
  return arms;
}

absl::Status CheckUnseen(const DirectionStore& store, const std::set<std::string>& set_ids,
                         const std::vector<std::string>& hashes) {
  for (const std::string& set_id : set_ids) {
    STEER_RETURN_IF_ERROR(store.CheckUnseen(set_id, hashes));
  }
  return absl::OkStatus();
}

// Of what a request id stands for: everything but the rows that the caller holds by now.
std::string IdentityDigest(v1::EvaluateRequest request) {
  request.clear_held();
  return Sha256Hex(absl::StrCat("Evaluate", request.SerializeAsString()));
}

}  // namespace

bool MergeEvaluate(v1::EvaluateResponse& last, v1::EvaluateResponse& next) {
  if (!last.has_progress() || !next.has_progress()) return false;
  last = std::move(next);
  return true;
}

absl::Status HandleEvaluate(const std::shared_ptr<EvaluateStream>& stream,
                            const v1::EvaluateRequest& request) {
  Call& call = stream->call();
  Engine& engine = call.engine();
  const ModelFacts& facts = engine.facts();
  AuditRecord& audit = call.audit();
  if (IsUuid(request.request_id())) audit.request_id = request.request_id();
  audit.validate_only = request.validate_only();
  audit.purpose = PurposeName(request.purpose());
  audit.counts["prompts"] = request.prompts_size();
  audit.counts["arms"] = request.arms_size();
  audit.counts["held"] = request.held_size();
  for (const v1::Arm& arm : request.arms()) CountOps(arm.intervention(), &audit);

  ViolationList violations;
  Validate(request, BoundsOf(engine), &violations);
  if (violations.empty()) {
    audit.plan_digest = request.plan_digest();
    STEER_RETURN_IF_ERROR(CheckFingerprints(engine, request.expected_model_fingerprint(),
                                            request.expected_numeric_fingerprint()));
  }
  EvaluateJob job;
  job.decode = FromProto(request.decoding());
  STEER_ASSIGN_OR_RETURN(
      job.prompts, PreparePrompts(call, request.prompts(), std::max(0, job.decode.max_new_tokens),
                                  "prompts", &violations));
  job.arms = OpenRows(request);
  InterventionCompiler compiler(call, &violations);
  if (request.arms_size() <= engine.options().max_arms) {
    for (int a = 0; a < request.arms_size(); ++a) {
      STEER_RETURN_IF_ERROR(call.Check());
      job.arms[a].intervention = compiler.Compile(request.arms(a).intervention(),
                                                  absl::StrCat("arms[", a, "].intervention"));
    }
  }
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  STEER_RETURN_IF_ERROR(compiler.status());
  job.leases = compiler.TakeLeases();
  job.readout = *FindReadout(request.readout());  // Validate has found it too
  job.judge_quality = request.judge_quality();
  job.scores = request.scores();
  job.refusal_token_ids.assign(request.refusal_token_ids().begin(),
                               request.refusal_token_ids().end());
  if (job.refusal_token_ids.empty()) job.refusal_token_ids = facts.refusal_token_ids;
  std::sort(job.refusal_token_ids.begin(), job.refusal_token_ids.end());
  audit.readout = request.readout();  // FindReadout knows it: not the caller's own words
  audit.digests["phrases"] = job.readout->digest();
  Sha256 ids;
  for (const int32_t id : job.refusal_token_ids) ids.Field(static_cast<uint64_t>(id));
  audit.digests["refusal_ids"] = ids.Hex();
  job.decode_full_window = request.decode_full_window();

  STEER_ASSIGN_OR_RETURN(const JobCost cost, engine.Cost(job));
  audit.counts["rows"] = cost.rows;
  std::vector<std::string> hashes;
  std::vector<std::string> names;
  for (const PreparedPrompt& prompt : job.prompts) hashes.push_back(prompt.hash);
  for (const EvaluateArm& arm : job.arms) names.push_back(arm.name);
  // The split. Every prompt of the call counts for every set it names: an outcome of the baseline
  // informs a choice as much as one under the set's own direction.
  if (request.purpose() == v1::PURPOSE_TEST) {
    STEER_RETURN_IF_ERROR(CheckUnseen(engine.store(), compiler.set_ids(), hashes));
  }
  if (request.validate_only()) {
    v1::EvaluateResponse response;
    *response.mutable_cost() = ToProto(cost);
    stream->Push(std::move(response));
    stream->Done(absl::OkStatus());
    return absl::OkStatus();
  }
  // Shared because a std::function is copied; it runs at most once.
  auto shared = std::make_shared<EvaluateJob>(std::move(job));
  const auto run = [&engine, shared, cost, hashes = std::move(hashes), names = std::move(names),
                    select = request.purpose() == v1::PURPOSE_SELECT,
                    set_ids = compiler.set_ids()](const std::shared_ptr<Execution>& execution) {
    STEER_RETURN_IF_ERROR(execution->call().AdmitWork(cost));
    if (select) {
      // Before a single row runs: what is not on disk when an outcome leaves may never be.
      for (const std::string& set_id : set_ids) {
        STEER_RETURN_IF_ERROR(engine.store().RecordSelected(set_id, hashes));
      }
    }
    return engine.Submit(std::move(*shared), execution->call().control(),
                         std::make_shared<Sink>(execution, hashes, names));
  };
  // A continuation is the same request for other rows: it has a receipt of its own, so it is
  // neither kept nor answered from what is.
  const std::string digest = IdentityDigest(request);
  if (request.held_size() > 0) {
    STEER_RETURN_IF_ERROR(call.state().request_ids.Claim(request.request_id(), digest));
    return run(std::make_shared<Execution>(nullptr, "", stream));
  }
  return call.state().replays->evaluations.Start(request.request_id(), digest, stream, run);
}

}  // namespace steer
