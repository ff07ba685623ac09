#include "server/engine/cost.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "server/engine/evaluate_call.h"

namespace steer {
namespace {

void CheckDecode(const DecodeSpec& decode, const EngineOptions& options,
                 ViolationList* violations) {
  if (decode.max_new_tokens < 1 || decode.max_new_tokens > options.max_new_tokens) {
    violations->Add("decoding.max_new_tokens", "is ", decode.max_new_tokens, "; 1 to ",
                    options.max_new_tokens, " are allowed");
  }
}

// A row is the prompt and what it may generate.
void CheckLength(const std::string& field, const PreparedPrompt& prompt, int32_t new_tokens,
                 const EngineOptions& options, ViolationList* violations) {
  auto tokens = static_cast<int64_t>(prompt.ids.size()) + new_tokens;
  if (tokens > options.max_context_tokens) {
    violations->Add(field, "needs ", prompt.ids.size(), " prompt tokens and ", new_tokens,
                    " more; a row may have ", options.max_context_tokens);
  }
}

void AddRowCost(const PreparedPrompt& prompt, int64_t new_tokens, int64_t kv_bytes_per_token,
                JobCost* cost) {
  auto tokens = static_cast<int64_t>(prompt.ids.size());
  ++cost->rows;
  cost->prompt_tokens += tokens;
  cost->max_generated_tokens += new_tokens;
  cost->kv_bytes += (tokens + std::max<int64_t>(new_tokens - 1, 0)) * kv_bytes_per_token;
}

void Estimate(const EngineOptions& options, const ModelFacts& facts, bool whole_windows,
              JobCost* cost) {
  if (facts.prefill_tokens_per_second <= 0 || facts.decode_steps_per_second <= 0) return;
  const double prefill = static_cast<double>(cost->prompt_tokens) / facts.prefill_tokens_per_second;
  const double decode = static_cast<double>(cost->max_generated_tokens) / options.decode_rows /
                        facts.decode_steps_per_second;
  cost->estimated_seconds = prefill + decode;
  cost->least_seconds = 0.5 * (prefill + (whole_windows ? decode : 0));
}

void CheckHostBytes(const JobCost& cost, ViolationList* violations) {
  if (cost.host_bytes > kMaxHostBytes) {
    violations->Add("", "needs ", cost.host_bytes,
                    " bytes of host memory for states or logits; a call may take ", kMaxHostBytes,
                    ": split it");
  }
}

}  // namespace

absl::StatusOr<JobCost> CostOf(const FitJob& job, const EngineOptions& options,
                               const ModelFacts& facts, int64_t kv_bytes_per_token) {
  ViolationList violations;
  JobCost cost;
  auto check_class = [&](const char* name, const std::vector<PreparedPrompt>& prompts) {
    if (prompts.size() < 2 || prompts.size() > static_cast<size_t>(options.max_prompts)) {
      violations.Add(name, "has ", prompts.size(), " prompts; 2 to ", options.max_prompts,
                     " are allowed");
    }
    for (size_t i = 0; i < prompts.size(); ++i) {
      std::string field = absl::StrCat(name, "[", i, "]");
      CheckLength(field, prompts[i], 0, options, &violations);
      for (int position : job.positions) {
        if (position < 0 && -position > static_cast<int64_t>(prompts[i].ids.size())) {
          violations.Add(field, "has ", prompts[i].ids.size(), " tokens; position ", position,
                         " does not exist");
        }
      }
      AddRowCost(prompts[i], 0, kv_bytes_per_token, &cost);
    }
  };
  if (job.positions.empty()) violations.Add("positions", "is empty");
  for (size_t i = 0; i < job.positions.size(); ++i) {
    std::string field = absl::StrCat("positions[", i, "]");
    if (job.positions[i] >= 0)
      violations.Add(field, "is ", job.positions[i], "; positions count from the end, -1 = last");
    if (i > 0 && job.positions[i] >= job.positions[i - 1])
      violations.Add(field, "must be below the one before it");
  }
  check_class("harmful", job.harmful);
  check_class("harmless", job.harmless);
  auto positions = static_cast<int64_t>(job.positions.size());
  cost.host_bytes = cost.rows * positions * (2 * facts.layers + 1) * facts.hidden * 4;
  int64_t stored = cost.rows * positions * facts.layers * facts.hidden * 4;
  if (job.keep_states && stored > options.max_state_bytes) {
    violations.Add("drop_states", "the states of this set would take ", stored,
                   " bytes, more than the limit of ", options.max_state_bytes,
                   ": set drop_states, or fit fewer prompts or positions");
  }
  CheckHostBytes(cost, &violations);
  if (!violations.empty()) return violations.ToStatus();
  Estimate(options, facts, false, &cost);
  return cost;
}

absl::StatusOr<JobCost> CostOf(const GenerateJob& job, const EngineOptions& options,
                               const ModelFacts& facts, int64_t kv_bytes_per_token) {
  ViolationList violations;
  JobCost cost;
  CheckDecode(job.decode, options, &violations);
  CheckLength("prompt", job.prompt, job.decode.max_new_tokens, options, &violations);
  AddRowCost(job.prompt, job.decode.max_new_tokens, kv_bytes_per_token, &cost);
  if (!violations.empty()) return violations.ToStatus();
  Estimate(options, facts, false, &cost);
  return cost;
}

absl::StatusOr<JobCost> CostOf(const EvaluateJob& job, const EngineOptions& options,
                               const ModelFacts& facts, int64_t kv_bytes_per_token) {
  ViolationList violations;
  JobCost cost;
  CheckDecode(job.decode, options, &violations);
  if (job.prompts.empty() || job.prompts.size() > static_cast<size_t>(options.max_prompts)) {
    violations.Add("prompts", "has ", job.prompts.size(), " prompts; 1 to ", options.max_prompts,
                   " are allowed");
  }
  if (job.arms.empty() || job.arms.size() > static_cast<size_t>(options.max_arms)) {
    violations.Add("arms", "has ", job.arms.size(), " arms; 1 to ", options.max_arms,
                   " are allowed");
  }
  for (size_t i = 0; i < job.prompts.size(); ++i) {
    CheckLength(absl::StrCat("prompts[", i, "]"), job.prompts[i], job.decode.max_new_tokens,
                options, &violations);
  }
  std::vector<int> references = EvaluateCall::ReferencePrompts(job);
  for (int prompt : references) AddRowCost(job.prompts[prompt], 0, kv_bytes_per_token, &cost);
  for (const EvaluateArm& arm : job.arms) {
    for (int prompt : arm.prompts)
      AddRowCost(job.prompts[prompt], job.decode.max_new_tokens, kv_bytes_per_token, &cost);
  }
  if (cost.rows > options.max_rows)
    violations.Add("arms", "make ", cost.rows, " rows; a call may have ", options.max_rows);
  cost.host_bytes = static_cast<int64_t>(references.size()) * facts.vocabulary * 4;
  CheckHostBytes(cost, &violations);
  if (!violations.empty()) return violations.ToStatus();
  Estimate(options, facts, job.decode_full_window, &cost);
  return cost;
}

}  // namespace steer
