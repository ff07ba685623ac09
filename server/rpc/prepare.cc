#include "server/rpc/prepare.h"

#include <utility>

#include "common/status_macros.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"

namespace steer {

absl::Status CheckFingerprints(const Engine& engine, const std::string& model,
                               const std::string& numeric) {
  const ModelFacts& facts = engine.facts();
  if (model != facts.model_fingerprint) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "MODEL_MISMATCH",
        absl::StrCat("the loaded model ", facts.name, " has fingerprint ", facts.model_fingerprint,
                     ", the request expects ", model,
                     "; start steerd with the model that the plan was frozen with, or freeze the "
                     "plan again"));
  }
  if (!numeric.empty() && numeric != facts.numeric_fingerprint) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "NUMERICS_MISMATCH",
                     absl::StrCat("this server computes with numeric fingerprint ",
                                  facts.numeric_fingerprint, ", the request expects ", numeric,
                                  "; build, device, type, shapes, threads and "
                                  "instruction set must be the same"));
  }
  return absl::OkStatus();
}

absl::Status InField(const absl::Status& status, absl::string_view field) {
  if (!absl::IsInvalidArgument(status) || !ViolationsOf(status).empty()) return status;
  return ViolationsError({{std::string(field), std::string(status.message())}});
}

absl::StatusOr<PreparedPrompt> PrepareOne(Call& call, const v1::Prompt& prompt, int64_t new_tokens,
                                          const std::string& field, ViolationList* violations) {
  STEER_RETURN_IF_ERROR(call.Check());
  ViolationList reported;
  if (!ValidatePrompt(prompt, field, &reported)) return PreparedPrompt();
  absl::optional<std::string> system;
  if (prompt.has_system()) system = prompt.system();
  absl::StatusOr<PreparedPrompt> prepared = call.engine().Prepare(prompt.user(), system);
  if (!prepared.ok()) {
    // RESOURCE_EXHAUSTED here is a limit of the template or the tokenizer that this prompt exceeds
    // every time, not a full server.
    if (absl::IsInvalidArgument(prepared.status()) ||
        absl::IsResourceExhausted(prepared.status())) {
      violations->Add(field, prepared.status().message());
      return PreparedPrompt();
    }
    return Annotate(prepared.status(), field);
  }
  const int64_t tokens = static_cast<int64_t>(prepared->ids.size());
  const int64_t limit = call.engine().options().max_context_tokens;
  if (tokens + new_tokens > limit) {
    violations->Add(
        absl::StrCat(field, ".user"), "is ", tokens, " tokens with its template",
        new_tokens > 0 ? absl::StrCat(", and ", new_tokens, " are to be generated") : "",
        "; at most ", limit, " (Limits.max_context_tokens) fit");
  }
  return prepared;
}

absl::StatusOr<std::vector<PreparedPrompt>> PreparePrompts(
    Call& call, const google::protobuf::RepeatedPtrField<v1::Prompt>& prompts, int64_t new_tokens,
    const std::string& field, ViolationList* violations) {
  std::vector<PreparedPrompt> out;
  // Too many is a violation already; refusing must stay cheap.
  if (prompts.size() > call.engine().options().max_prompts) return out;
  out.reserve(prompts.size());
  for (int i = 0; i < prompts.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(
        PreparedPrompt prepared,
        PrepareOne(call, prompts[i], new_tokens, absl::StrCat(field, "[", i, "]"), violations));
    out.push_back(std::move(prepared));
  }
  return out;
}

namespace {

SpecRefusal RefusalOf(const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return SpecRefusal::kViolation;
  if (absl::IsNotFound(status)) return SpecRefusal::kUnknownSet;
  if (ReasonOf(status) == "DIRECTION_UNUSABLE") return SpecRefusal::kUnusable;
  if (ReasonOf(status) == "MODEL_MISMATCH") return SpecRefusal::kOtherModel;
  return SpecRefusal::kOther;
}

}  // namespace

std::shared_ptr<const CompiledIntervention> InterventionCompiler::Compile(
    const v1::Intervention& intervention, const std::string& field) {
  if (intervention.ops().empty()) return nullptr;
  ViolationList reported;
  ValidateIntervention(intervention, BoundsOf(call_.engine()), field, &reported);
  if (!reported.empty()) {
    call_.state().metrics->InterventionRefused(SpecRefusal::kViolation);
    return nullptr;
  }
  const InterventionSpec spec = FromProto(intervention);
  AddNamedSets(spec, &set_ids_);
  auto compiled = call_.engine().Compile(spec, field, &leases_);
  if (compiled.ok()) return *std::move(compiled);
  const absl::Status& status = compiled.status();
  call_.state().metrics->InterventionRefused(RefusalOf(status));
  if (absl::IsInvalidArgument(status)) {
    const std::vector<Violation> found = ViolationsOf(status);
    for (const Violation& v : found) violations_->Add(v.field, v.description);
    if (found.empty()) violations_->Add(field, status.message());
  } else if (status_.ok()) {
    status_ = Annotate(status, field);
  }
  return nullptr;
}

}  // namespace steer
