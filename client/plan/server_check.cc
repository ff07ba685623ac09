// What a server must be and have for a plan, and for a lock.
#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/plan/lock.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

std::string Offered(const std::vector<std::string>& names) {
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

std::vector<std::string> ReadoutNames(const ServerFacts& facts) {
  std::vector<std::string> names;
  for (const auto& [name, digest] : facts.readouts) names.push_back(name);
  return names;
}

bool HasFamily(const ServerFacts& facts, const std::string& family) {
  return std::count(facts.control_families.begin(), facts.control_families.end(), family) > 0;
}

// A limit of 0 is not known.
bool Exceeds(int64_t value, int64_t limit) { return limit > 0 && value > limit; }

// Sizes and limits, which plans and locks share.
void CheckLimits(const Plan& plan, const ServerFacts& facts, ViolationList* violations) {
  if (Exceeds(plan.max_new_tokens, facts.max_new_tokens)) {
    violations->Add("decoding.max_new_tokens", plan.max_new_tokens,
                    " is above the server's limit of ", facts.max_new_tokens);
  }
  for (SplitPart part : kSplitParts) {
    if (Exceeds(plan.sizes.of(part), facts.max_prompts)) {
      violations->Add(absl::StrCat("splits.", SplitPartName(part)), plan.sizes.of(part),
                      " prompts are above the server's limit of ", facts.max_prompts, " in a call");
    }
  }
  if (!HasFamily(facts, plan.control_family)) {
    violations->Add("controls.family", "the server draws no \"", plan.control_family, "\"; it has ",
                    Offered(facts.control_families));
  }
}

}  // namespace

absl::Status CheckAgainstServer(const Plan& plan, const ServerFacts& facts) {
  ViolationList violations;
  if (plan.model_name != facts.model_name) {
    violations.Add("model.name", "the plan is for \"", plan.model_name, "\", the server has \"",
                   facts.model_name,
                   "\"; where they are the same model, name it so in the plan or ",
                   "start steerd with --name");
  }
  if (!IsSha256Hex(facts.model_fingerprint))
    violations.Add("model.fingerprint", "the server names none");
  if (!plan.model_fingerprint.empty() && plan.model_fingerprint != facts.model_fingerprint) {
    violations.Add("model.fingerprint", "the plan wants ", plan.model_fingerprint,
                   ", the server has ", facts.model_fingerprint);
  }
  if (plan.dtype != facts.dtype) {
    violations.Add("model.dtype", "the plan wants ", plan.dtype, ", the server computes in ",
                   facts.dtype, "; start steerd with --dtype ", plan.dtype);
  }
  if (facts.readouts.count(plan.readout) == 0) {
    violations.Add("readout.name", "the server has no \"", plan.readout, "\"; it has ",
                   Offered(ReadoutNames(facts)));
  }
  if (plan.scores) {
    if (plan.refusal_token_ids.empty() && facts.refusal_tokens.empty()) {
      violations.Add("readout.refusal_token_ids",
                     "the server has no refusal ids of its own; name them");
    }
    if (!plan.refusal_token_ids.empty() && plan.refusal_token_ids.back() >= facts.vocabulary) {
      violations.Add("readout.refusal_token_ids", plan.refusal_token_ids.back(),
                     " is outside the vocabulary of ", facts.vocabulary);
    }
  }
  if (plan.layers.has_value() && plan.layers->back() >= facts.layers) {
    violations.Add("selection.layers", "layer ", plan.layers->back(), " in a model of ",
                   facts.layers, " blocks (0 to ", facts.layers - 1, ")");
  }
  if (CandidateLayers(plan, facts.layers).empty()) {
    violations.Add("selection.layers", "a model of ", facts.layers,
                   " blocks has no layer to choose among");
  }
  CheckLimits(plan, facts, &violations);
  return violations.ToStatus();
}

absl::Status CheckLockAgainstServer(const Lock& lock, const ServerFacts& facts) {
  std::vector<std::string> problems;
  auto same = [&](absl::string_view what, const std::string& locked, const std::string& found) {
    if (locked != found) {
      problems.push_back(absl::StrCat(what, ": locked ", locked, ", the server has ",
                                      found.empty() ? "none" : found));
    }
  };
  same("model fingerprint", lock.model_fingerprint, facts.model_fingerprint);
  same("numeric type", lock.plan.dtype, facts.dtype);
  same("chat template", lock.chat_template_digest, facts.chat_template_digest);
  same("contract version", lock.contract_version, facts.contract_version);
  same("layers", absl::StrCat(lock.model_layers), absl::StrCat(facts.layers));
  auto readout = facts.readouts.find(lock.plan.readout);
  same(absl::StrCat("readout ", lock.plan.readout), lock.readout_digest,
       readout == facts.readouts.end() ? std::string() : readout->second);
  ViolationList limits;
  CheckLimits(lock.plan, facts, &limits);
  for (const Violation& violation : limits.violations()) {
    problems.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  if (problems.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, "LOCK_SERVER_MISMATCH",
                   absl::StrCat("the server is not the one that the plan was frozen for: ",
                                absl::StrJoin(problems, "; ")));
}

}  // namespace steer
