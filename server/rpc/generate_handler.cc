#include <utility>

#include "common/status_macros.h"
#include "server/rpc/handlers.h"
#include "server/rpc/prepare.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"

namespace steer {
namespace {

using GenerateStream = StreamCall<v1::GenerateResponse>;

class Sink final : public GenerateSink {
 public:
  Sink(std::shared_ptr<GenerateStream> stream, bool withhold)
      : stream_(std::move(stream)), withhold_(withhold) {}

  void OnText(std::string text) override {
    if (withhold_) return;
    v1::GenerateResponse response;
    response.set_text(std::move(text));
    stream_->Push(std::move(response));
  }

  void OnDone(absl::StatusOr<GenerateResult> result) override {
    if (!result.ok()) return stream_->Done(result.status());
    v1::GenerateResponse response;
    v1::GenerateResult* out = response.mutable_result();
    out->set_finish_reason(ToProto(result->finish));
    out->set_prompt_tokens(static_cast<int32_t>(result->prompt_tokens));
    out->set_generated_tokens(static_cast<int32_t>(result->generated_tokens));
    out->set_text_withheld(withhold_);
    out->set_token_digest(result->token_digest);
    *out->mutable_receipt() = ToProto(result->receipt, stream_->call().engine());
    stream_->call().audit().counts["generated_tokens"] = result->generated_tokens;
    stream_->Push(std::move(response));
    stream_->Done(absl::OkStatus());
  }

 private:
  const std::shared_ptr<GenerateStream> stream_;
  const bool withhold_;
};

}  // namespace

bool MergeGenerate(v1::GenerateResponse& last, v1::GenerateResponse& next) {
  if (last.event_case() != v1::GenerateResponse::kText ||
      next.event_case() != v1::GenerateResponse::kText) {
    return false;
  }
  last.mutable_text()->append(next.text());
  return true;
}

absl::Status HandleGenerate(const std::shared_ptr<GenerateStream>& stream,
                            const v1::GenerateRequest& request) {
  Call& call = stream->call();
  Engine& engine = call.engine();
  AuditRecord& audit = call.audit();
  if (IsUuid(request.request_id())) audit.request_id = request.request_id();
  audit.validate_only = request.validate_only();
  audit.counts["prompts"] = 1;
  CountOps(request.intervention(), &audit);

  ViolationList violations;
  Validate(request, BoundsOf(engine), &violations);
  if (violations.empty()) {
    STEER_RETURN_IF_ERROR(CheckFingerprints(engine, request.expected_model_fingerprint(), ""));
  }
  GenerateJob job;
  job.decode = FromProto(request.decoding());
  STEER_ASSIGN_OR_RETURN(job.prompt, PrepareOne(call, request.prompt(), job.decode.max_new_tokens,
                                                "prompt", &violations));
  InterventionCompiler compiler(call, &violations);
  job.intervention = compiler.Compile(request.intervention(), "intervention");
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  STEER_RETURN_IF_ERROR(compiler.status());
  job.leases = compiler.TakeLeases();

  STEER_ASSIGN_OR_RETURN(const JobCost cost, engine.Cost(job));
  audit.counts["rows"] = cost.rows;
  if (request.validate_only()) {
    v1::GenerateResponse response;
    *response.mutable_cost() = ToProto(cost);
    stream->Push(std::move(response));
    stream->Done(absl::OkStatus());
    return absl::OkStatus();
  }
  STEER_RETURN_IF_ERROR(call.AdmitWork(cost));
  // An intervention counts as an edit whatever it amounts to.
  const bool edited = !request.intervention().ops().empty();
  const bool withhold = edited && !call.state().options.allow_edited_text;
  return engine.Submit(std::move(job), call.control(), std::make_shared<Sink>(stream, withhold));
}

}  // namespace steer
