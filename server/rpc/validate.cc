#include "server/rpc/validate.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/digest.h"
#include "server/engine/engine.h"

namespace steer {
namespace {

template <class Prompts>
void ValidatePrompts(const Prompts& prompts, int64_t least, const RequestBounds& bounds,
                     absl::string_view field, ViolationList* out) {
  if (prompts.size() < least || prompts.size() > bounds.max_prompts) {
    out->Add(field, "has ", prompts.size(), " prompts; ", least, " to ", bounds.max_prompts,
             " (Limits.max_prompts) are allowed");
    return;
  }
  for (int i = 0; i < prompts.size(); ++i) {
    ValidatePrompt(prompts[i], absl::StrCat(field, "[", i, "]"), out);
  }
}

void ValidateExpectedModel(absl::string_view fingerprint, ViolationList* out) {
  if (fingerprint.empty()) {
    out->Add("expected_model_fingerprint",
             "is missing; GetModelResponse.model_fingerprint names the loaded model");
  }
}

bool IsArmName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxArmNameBytes) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        absl::string_view("._/-").find(c) == absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

void ValidateArm(const v1::Arm& arm, int prompts, const RequestBounds& bounds,
                 absl::string_view field, std::set<std::string>* names, ViolationList* out) {
  const std::string name = absl::StrCat(field, ".name");
  if (!IsArmName(arm.name())) {
    out->Add(name, "is not 1 to ", kMaxArmNameBytes, " characters of [A-Za-z0-9._/-]");
  } else if (!names->insert(arm.name()).second) {
    out->Add(name, "is used by an arm before it; names are unique in a call");
  }
  ValidateIntervention(arm.intervention(), bounds, absl::StrCat(field, ".intervention"), out);
  const std::string indices = absl::StrCat(field, ".prompts");
  if (arm.prompts().empty()) out->Add(indices, "is empty; an arm needs at least one prompt");
  for (int i = 0; i < arm.prompts_size(); ++i) {
    if (arm.prompts(i) < 0 || arm.prompts(i) >= prompts) {
      out->Add(absl::StrCat(indices, "[", i, "]"), "is ", arm.prompts(i), "; the call has ",
               prompts, " prompts");
    }
    if (i > 0 && arm.prompts(i) <= arm.prompts(i - 1)) {
      out->Add(absl::StrCat(indices, "[", i, "]"), "is not above the one before it");
    }
  }
}

void ValidateHeld(const v1::EvaluateRequest& request, ViolationList* out) {
  std::set<std::pair<int, int>> rows;
  for (int a = 0; a < request.arms_size(); ++a) {
    if (request.held().empty()) break;
    for (const int prompt : request.arms(a).prompts()) rows.emplace(a, prompt);
  }
  std::set<std::pair<int, int>> seen;
  for (int i = 0; i < request.held_size(); ++i) {
    const std::pair<int, int> row(request.held(i).arm(), request.held(i).prompt());
    const std::string field = absl::StrCat("held[", i, "]");
    if (rows.count(row) == 0) {
      out->Add(field, "names no row of the call: arm ", row.first, ", prompt ", row.second);
    } else if (!seen.insert(row).second) {
      out->Add(field, "names a row twice: arm ", row.first, ", prompt ", row.second);
    }
  }
}

void ValidateRefusalTokens(const v1::EvaluateRequest& request, const RequestBounds& bounds,
                           ViolationList* out) {
  std::set<int> seen;
  for (int i = 0; i < request.refusal_token_ids_size(); ++i) {
    const int id = request.refusal_token_ids(i);
    const std::string field = absl::StrCat("refusal_token_ids[", i, "]");
    if (id < 0 || id >= bounds.vocabulary) {
      out->Add(field, "is ", id, "; this model has ids 0 to ", bounds.vocabulary - 1);
    } else if (!seen.insert(id).second) {
      out->Add(field, "is named twice: ", id);
    }
  }
  if (!seen.empty() && static_cast<int64_t>(seen.size()) >= bounds.vocabulary) {
    out->Add("refusal_token_ids", "names the whole vocabulary; the odds need some other token");
  }
}

}  // namespace

RequestBounds BoundsOf(const Engine& engine) {
  const ModelFacts& facts = engine.facts();
  const EngineOptions& options = engine.options();
  RequestBounds bounds;
  bounds.layers = facts.layers;
  bounds.vocabulary = facts.vocabulary;
  bounds.max_context_tokens = options.max_context_tokens;
  bounds.max_new_tokens = options.max_new_tokens;
  bounds.max_prompts = options.max_prompts;
  bounds.max_arms = options.max_arms;
  bounds.max_rows = options.max_rows;
  return bounds;
}

void Validate(const v1::TokenizeRequest& request, const RequestBounds& bounds, ViolationList* out) {
  ValidatePrompts(request.prompts(), 1, bounds, "prompts", out);
}

void Validate(const v1::FitDirectionRequest& request, const RequestBounds& bounds,
              ViolationList* out) {
  ValidateRequestId(request.request_id(), out);
  ValidateExpectedModel(request.expected_model_fingerprint(), out);
  ValidatePrompts(request.harmful(), 2, bounds, "harmful", out);
  ValidatePrompts(request.harmless(), 2, bounds, "harmless", out);
  std::set<int> seen;
  for (int i = 0; i < request.positions_size(); ++i) {
    const int position = request.positions(i);
    const std::string field = absl::StrCat("positions[", i, "]");
    if (position >= 0 || position < -bounds.max_context_tokens) {
      out->Add(field, "is ", position, "; -1 (the last token) down to ",
               -bounds.max_context_tokens);
    } else if (!seen.insert(position).second) {
      out->Add(field, "is named twice: ", position);
    }
  }
}

void Validate(const v1::GenerateRequest& request, const RequestBounds& bounds, ViolationList* out) {
  ValidateRequestId(request.request_id(), out);
  ValidateExpectedModel(request.expected_model_fingerprint(), out);
  ValidatePrompt(request.prompt(), "prompt", out);
  ValidateIntervention(request.intervention(), bounds, "intervention", out);
  ValidateDecoding(request.decoding(), DecodingUse::kGenerate, bounds, "decoding", out);
}

void Validate(const v1::EvaluateRequest& request, const RequestBounds& bounds, ViolationList* out) {
  ValidateRequestId(request.request_id(), out);
  ValidateExpectedModel(request.expected_model_fingerprint(), out);
  if (request.purpose() == v1::PURPOSE_UNSPECIFIED || !v1::Purpose_IsValid(request.purpose())) {
    out->Add("purpose", "must be PURPOSE_SELECT, PURPOSE_TEST or PURPOSE_EXPLORE");
  }
  ValidatePrompts(request.prompts(), 1, bounds, "prompts", out);
  if (request.arms().empty() || request.arms_size() > bounds.max_arms) {
    out->Add("arms", "has ", request.arms_size(), " arms; 1 to ", bounds.max_arms,
             " (Limits.max_arms) are allowed");
  } else {
    std::set<std::string> names;
    int64_t rows = 0;
    for (int i = 0; i < request.arms_size(); ++i) {
      ValidateArm(request.arms(i), request.prompts_size(), bounds, absl::StrCat("arms[", i, "]"),
                  &names, out);
      rows += request.arms(i).prompts_size();
    }
    if (rows > bounds.max_rows) {
      out->Add("arms", "have ", rows, " rows in all; at most ", bounds.max_rows,
               " (Limits.max_rows) are allowed");
    }
  }
  ValidateDecoding(request.decoding(), DecodingUse::kEvaluate, bounds, "decoding", out);
  if (auto readout = FindReadout(request.readout()); !readout.ok()) {
    out->Add("readout", readout.status().message());
  }
  ValidateRefusalTokens(request, bounds, out);
  ValidateHeld(request, out);
  if (!request.plan_digest().empty() && !IsSha256Hex(request.plan_digest())) {
    out->Add("plan_digest", "is not 64 lower-case hex digits; leave it empty if there is no plan");
  }
}

void Validate(const v1::GetDirectionRequest& request, const RequestBounds& bounds,
              ViolationList* out) {
  ValidateSetId(request.set_id(), "set_id", out);
  if (!request.has_direction()) return;
  v1::DirectionRef ref = request.direction();
  if (ref.set_id().empty()) ref.set_set_id(request.set_id());
  if (ref.set_id() != request.set_id()) {
    out->Add("direction.set_id", "names another set than set_id; leave it empty");
  }
  ValidateDirectionRef(ref, bounds, "direction", out);
}

void Validate(const v1::ListDirectionsRequest& request, ViolationList* out) {
  if (request.page_size() < 0 || request.page_size() > 1000) {
    out->Add("page_size", "is ", request.page_size(), "; 1 to 1000, or 0 for 50");
  }
}

void Validate(const v1::DeleteDirectionRequest& request, ViolationList* out) {
  ValidateSetId(request.set_id(), "set_id", out);
}

void Validate(const v1::ExportDirectionRequest& request, const RequestBounds& bounds,
              ViolationList* out) {
  v1::GetDirectionRequest get;
  get.set_set_id(request.set_id());
  if (request.has_direction()) *get.mutable_direction() = request.direction();
  Validate(get, bounds, out);
}

}  // namespace steer
