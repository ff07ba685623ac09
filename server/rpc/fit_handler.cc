#include <algorithm>
#include <map>
#include <utility>

#include "absl/time/clock.h"
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

using FitStream = StreamCall<v1::FitDirectionResponse>;
using Execution = Replays<v1::FitDirectionResponse>::Execution;

class Sink final : public FitSink {
 public:
  explicit Sink(std::shared_ptr<Execution> execution) : execution_(std::move(execution)) {}

  void OnProgress(int64_t rows_done, int64_t rows_total) override {
    done_ = rows_done;
    total_ = rows_total;
    if (clock_.Due()) SendProgress();
  }

  void OnDone(absl::StatusOr<FitResult> result) override {
    if (!result.ok()) return execution_->Done(result.status());
    done_ = total_;
    SendProgress();
    v1::FitDirectionResponse response;
    *response.mutable_result()->mutable_set() = ToProto(result->stored);
    response.mutable_result()->set_cached(result->cached);
    execution_->call().audit().set_id = result->stored.set->set_id;
    execution_->Push(std::move(response));
    execution_->Done(absl::OkStatus());
  }

 private:
  void SendProgress() {
    v1::FitDirectionResponse response;
    response.mutable_progress()->set_rows_done(done_);
    response.mutable_progress()->set_rows_total(total_);
    execution_->Push(std::move(response));
  }
  const std::shared_ptr<Execution> execution_;
  ProgressClock clock_;
  int64_t done_ = 0;
  int64_t total_ = 0;
};

// No prompt twice in a class or in both, after the one normal form (which the hash is of).
void CheckDuplicates(const std::vector<PreparedPrompt>& harmful,
                     const std::vector<PreparedPrompt>& harmless, ViolationList* out) {
  std::map<std::string, std::string> first;  // hash -> field
  const auto check = [&](const std::vector<PreparedPrompt>& prompts, const char* field) {
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (prompts[i].hash.empty()) continue;
      const std::string path = absl::StrCat(field, "[", i, "]");
      const auto [entry, added] = first.try_emplace(prompts[i].hash, path);
      if (!added) out->Add(path, "is the same prompt as ", entry->second, " after the normal form");
    }
  };
  check(harmful, "harmful");
  check(harmless, "harmless");
}

void CheckLengths(const std::vector<PreparedPrompt>& prompts, const std::vector<int>& positions,
                  const char* field, ViolationList* out) {
  for (size_t i = 0; i < prompts.size(); ++i) {
    const int64_t tokens = static_cast<int64_t>(prompts[i].ids.size());
    for (const int position : positions) {
      if (tokens == 0 || position >= 0 || tokens + position >= 0) continue;
      out->Add(absl::StrCat(field, "[", i, "].user"), "has ", tokens,
               " tokens with its template, too few for position ", position);
    }
  }
}

}  // namespace

bool MergeFit(v1::FitDirectionResponse& last, v1::FitDirectionResponse& next) {
  if (!last.has_progress() || !next.has_progress()) return false;
  last = std::move(next);
  return true;
}

absl::Status HandleFitDirection(const std::shared_ptr<FitStream>& stream,
                                const v1::FitDirectionRequest& request) {
  Call& call = stream->call();
  Engine& engine = call.engine();
  AuditRecord& audit = call.audit();
  if (IsUuid(request.request_id())) audit.request_id = request.request_id();
  audit.validate_only = request.validate_only();
  audit.counts["harmful"] = request.harmful_size();
  audit.counts["harmless"] = request.harmless_size();

  ViolationList violations;
  Validate(request, BoundsOf(engine), &violations);
  if (violations.empty()) {
    STEER_RETURN_IF_ERROR(CheckFingerprints(engine, request.expected_model_fingerprint(), ""));
  }
  FitJob job;
  const absl::Time start = absl::Now();
  if (!request.positions().empty()) {
    job.positions.assign(request.positions().begin(), request.positions().end());
    // The order of a set's positions is fixed: descending from -1.
    std::sort(job.positions.rbegin(), job.positions.rend());
  }
  job.keep_states = !request.drop_states();
  STEER_ASSIGN_OR_RETURN(job.harmful,
                         PreparePrompts(call, request.harmful(), 0, "harmful", &violations));
  STEER_ASSIGN_OR_RETURN(job.harmless,
                         PreparePrompts(call, request.harmless(), 0, "harmless", &violations));
  CheckDuplicates(job.harmful, job.harmless, &violations);
  CheckLengths(job.harmful, job.positions, "harmful", &violations);
  CheckLengths(job.harmless, job.positions, "harmless", &violations);
  STEER_RETURN_IF_ERROR(violations.ToStatus());

  STEER_ASSIGN_OR_RETURN(const JobCost cost, engine.Cost(job));
  audit.counts["rows"] = cost.rows;
  if (request.validate_only()) {
    v1::FitDirectionResponse response;
    *response.mutable_cost() = ToProto(cost);
    stream->Push(std::move(response));
    stream->Done(absl::OkStatus());
    return absl::OkStatus();
  }
  call.state().metrics->OnFitPhase(FitPhase::kTokenize, absl::Now() - start);
  // Shared because a std::function is copied; it runs at most once.
  auto shared = std::make_shared<FitJob>(std::move(job));
  const auto run = [&engine, shared, cost](const std::shared_ptr<Execution>& execution) {
    STEER_RETURN_IF_ERROR(execution->call().AdmitWork(cost));
    return engine.Submit(std::move(*shared), execution->call().control(),
                         std::make_shared<Sink>(execution));
  };
  // A set that was deleted since is fitted anew.
  const auto valid = [&engine](const v1::FitDirectionResponse& last) {
    return engine.store().Get(last.result().set().set_id()).ok();
  };
  return call.state().replays->fits.Start(
      request.request_id(), Sha256Hex(absl::StrCat("Fit", request.SerializeAsString())), stream,
      run, valid);
}

}  // namespace steer
