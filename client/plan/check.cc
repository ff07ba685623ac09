#include "client/plan/check.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// From here on a surface difference is worth a sentence: half a standard deviation, a quarter of
// the prompts.
constexpr double kNotableDifference = 0.5;
constexpr double kNotableShare = 0.25;

LockedFile Counts(const PromptFile& file, const ClassPool& pool) {
  return {file.sha256,   file.bytes,      file.rows,   file.blank,
          file.filtered, pool.duplicates, pool.in_both};
}

void CheckContext(const Plan& plan, const ServerFacts& facts, const PlanCheck& check,
                  std::vector<Violation>* violations) {
  if (facts.max_context_tokens <= 0) return;
  const std::pair<PromptClass, const ClassSurface*> classes[] = {
      {PromptClass::kHarmful, &check.harmful_surface},
      {PromptClass::kHarmless, &check.harmless_surface}};
  for (const auto& [prompt_class, surface] : classes) {
    if (surface->tokens_known == 0) continue;
    if (surface->tokens.maximum + plan.max_new_tokens > facts.max_context_tokens) {
      violations->push_back(
          {absl::StrCat("data.", PromptClassName(prompt_class)),
           absl::StrCat("the longest prompt has ", surface->tokens.maximum, " tokens and ",
                        plan.max_new_tokens, " may follow: above the server's ",
                        facts.max_context_tokens, "; set max_characters for this class")});
    }
  }
}

void WarnOfSurface(const PlanCheck& check, std::vector<std::string>* warnings) {
  auto length = [&](absl::string_view unit, double difference) {
    if (std::abs(difference) >= kNotableDifference) {
      warnings->push_back(
          absl::StrFormat("the classes differ in length: %.2f standard deviations in %s (harmful - "
                          "harmless); a difference of means can pick this up",
                          difference, unit));
    }
  };
  length("characters", check.character_difference);
  length("words", check.word_difference);
  length("tokens", check.token_difference);
  const double harmful = check.harmful_surface.punctuated_share();
  const double harmless = check.harmless_surface.punctuated_share();
  if (std::abs(harmful - harmless) >= kNotableShare) {
    warnings->push_back(
        absl::StrFormat("the classes differ in final punctuation: %.0f %% of harmful and %.0f %% "
                        "of harmless prompts end in it; the last position sees that",
                        100 * harmful, 100 * harmless));
  }
}

void WarnOfServer(const Plan& plan, const ServerFacts& facts, std::vector<std::string>* warnings) {
  if (facts.suggested_repetition_penalty > 1.0 && plan.repetition_penalty == 1.0) {
    warnings->push_back(absl::StrCat("the checkpoint suggests a repetition penalty of ",
                                     facts.suggested_repetition_penalty,
                                     "; the plan decodes without one"));
  }
  if (plan.model_fingerprint.empty()) {
    warnings->push_back(
        "the plan names no model fingerprint; freezing pins the one that the server has now");
  }
}

}  // namespace

absl::StatusOr<PlanCheck> CheckPlan(const Plan& plan, const PlanData& data,
                                    const ServerFacts* facts, const TokenCounts& tokens) {
  PlanCheck check;
  check.harmful = Counts(data.harmful, data.pools.harmful);
  check.harmless = Counts(data.harmless, data.pools.harmless);
  check.harmful_pool = static_cast<int64_t>(data.pools.harmful.prompts.size());
  check.harmless_pool = static_cast<int64_t>(data.pools.harmless.prompts.size());
  check.harmful_surface = DescribeClass(PromptsInUse(data.splits, PromptClass::kHarmful), tokens);
  check.harmless_surface = DescribeClass(PromptsInUse(data.splits, PromptClass::kHarmless), tokens);
  const ClassSurface& a = check.harmful_surface;
  const ClassSurface& b = check.harmless_surface;
  check.character_difference =
      StandardisedDifference(a.characters, a.prompts, b.characters, b.prompts);
  check.word_difference = StandardisedDifference(a.words, a.prompts, b.words, b.prompts);
  if (a.tokens_known > 0 && b.tokens_known > 0) {
    check.token_difference =
        StandardisedDifference(a.tokens, a.tokens_known, b.tokens, b.tokens_known);
  }
  for (const SeedSplits& splits : data.splits) {
    STEER_ASSIGN_OR_RETURN(std::vector<NearTwin> twins, FindNearTwins(splits));
    check.twins.insert(check.twins.end(), twins.begin(), twins.end());
  }
  if (!check.twins.empty()) {
    check.warnings.push_back(
        absl::StrCat(check.twins.size(),
                     " pairs of near twins stand in different parts of a split: a test prompt that "
                     "resembles a training prompt is not fresh"));
  }
  WarnOfSurface(check, &check.warnings);
  if (facts == nullptr) return check;
  check.violations = ViolationsOf(CheckAgainstServer(plan, *facts));
  CheckContext(plan, *facts, check, &check.violations);
  WarnOfServer(plan, *facts, &check.warnings);
  const int64_t known = a.tokens_known + b.tokens_known;
  const double mean_tokens = known > 0 ? (a.tokens.mean * static_cast<double>(a.tokens_known) +
                                          b.tokens.mean * static_cast<double>(b.tokens_known)) /
                                             static_cast<double>(known)
                                       : 0.0;
  check.mean_tokens = mean_tokens;
  check.work = EstimateWork(plan, *facts, mean_tokens);
  return check;
}

}  // namespace steer
