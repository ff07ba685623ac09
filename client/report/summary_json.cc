#include <utility>

#include "client/report/summary.h"
#include "common/status_macros.h"

namespace steer {
namespace {

Json CountJson(const RefusalCount& count, const Interval& wilson) {
  return {{"refused", count.refused},
          {"n", count.n},
          {"rate", count.rate()},
          {"wilson_95", {wilson.low, wilson.high}}};
}

Json ArmJson(const ArmSummary& arm) {
  Json json = CountJson(arm.refusals, arm.wilson);
  json["arm"] = arm.arm.name;
  json["prompts"] = std::string(PromptClassName(arm.arm.prompts));
  json["edit"] = std::string(EditKindName(arm.arm.edit));
  json["layer"] = arm.layer >= 0 ? Json(arm.layer) : Json();
  json["control_draw"] = arm.arm.control_draw ? Json(*arm.arm.control_draw) : Json();
  json["direction_digest"] = arm.direction_digest.empty() ? Json() : Json(arm.direction_digest);
  json["quality"] = {{"ok", arm.quality_ok},
                     {"degenerate", arm.quality_degenerate},
                     {"not_judged", arm.quality_not_judged}};
  json["mean_generated_tokens"] = arm.mean_generated_tokens;
  if (arm.scores) {
    json["mean_refusal_log_odds"] = arm.mean_refusal_log_odds;
    json["mean_kl"] = arm.mean_kl;
  }
  if (arm.paired_p) json["mcnemar_p_against_baseline"] = *arm.paired_p;
  json["receipt"] = {{"tokens", arm.receipt.tokens},
                     {"edits", arm.receipt.edits},
                     {"sites", arm.receipt.sites},
                     {"mean_relative_dose", arm.receipt.mean_relative_dose},
                     {"largest_residual_projection", arm.receipt.largest_residual_projection},
                     {"decode_rows", arm.receipt.decode_rows},
                     {"prefill_tokens", arm.receipt.prefill_tokens}};
  return json;
}

Json ArmsJson(const std::vector<ArmSummary>& arms) {
  Json json = Json::array();
  for (const ArmSummary& arm : arms) json.push_back(ArmJson(arm));
  return json;
}

Json RatioJson(const Ratio& ratio) {
  return {
      {"numerator", ratio.numerator}, {"denominator", ratio.denominator}, {"value", ratio.value()}};
}

Json DecisionJson(const SeedSummary& seed) {
  Json margins = Json::array();
  for (const Margin& margin : seed.decision.margins) {
    margins.push_back({{"name", margin.name},
                       {"difference", RatioJson(margin.difference)},
                       {"needed", RatioJson(margin.needed)},
                       {"met", margin.met}});
  }
  return {{"verdict", std::string(VerdictName(seed.decision.verdict))},
          {"suppression", seed.decision.suppression},
          {"induction", seed.decision.induction},
          {"margins", std::move(margins)},
          {"missing", seed.decision.missing}};
}

Json FitJson(const FitRecord& fit) {
  Json reports = Json::array();
  for (const LayerReport& r : fit.reports) reports.push_back(ToJson(r));
  return {{"set_id", fit.set_id},
          {"content_digest", fit.content_digest},
          {"method", fit.method},
          {"numeric_fingerprint", fit.numeric_fingerprint},
          {"harmful_prompts", fit.harmful_prompts},
          {"harmless_prompts", fit.harmless_prompts},
          {"layers", std::move(reports)}};
}

Json SelectionJson(const SeedSummary& seed) {
  Json swings = Json::array();
  for (const LayerSwing& s : seed.selection->swings) {
    Json swing = {{"layer", s.layer}, {"usable", s.usable}};
    if (s.usable) {
      swing["drop"] = s.drop;
      swing["rise"] = s.rise;
      swing["swing"] = s.swing();
    }
    swings.push_back(std::move(swing));
  }
  return {{"chosen", seed.selection->chosen},
          {"layer", seed.selection->chosen ? Json(seed.selection->layer) : Json()},
          {"tied", seed.selection->tied},
          {"swings", std::move(swings)},
          {"arms", ArmsJson(seed.selection_arms)}};
}

Json SeedJson(const SeedSummary& seed) {
  Json failures = Json::array();
  for (const FailureRecord& f : seed.failures) {
    failures.push_back({{"of", f.of},
                        {"times", f.number},
                        {"code", f.code},
                        {"reason", f.reason},
                        {"note", f.note}});
  }
  Json json = {{"seed", seed.seed},
               {"decision", DecisionJson(seed)},
               {"fit", seed.fit ? FitJson(*seed.fit) : Json()},
               {"selection", seed.selection ? SelectionJson(seed) : Json()},
               {"arms", ArmsJson(seed.test_arms)},
               {"failures", std::move(failures)}};
  // Only there where it happened: what every other run writes stays as it is.
  for (const RestartRecord& restart : seed.restarts) {
    json["began_anew"].push_back({{"abandoned_numeric_fingerprint", restart.numeric_fingerprint},
                                  {"abandoned_cells", restart.cells}});
  }
  return json;
}

Json LockedFileJson(const PromptSource& source, const LockedFile& file) {
  return {{"file", source.file}, {"sha256", file.sha256}, {"rows", file.rows}};
}

Json PlanFacts(const Lock& lock) {
  const Plan& plan = lock.plan;
  return {
      {"name", plan.name},
      {"digest", lock.digest},
      {"model",
       {{"name", plan.model_name},
        {"fingerprint", lock.model_fingerprint},
        {"layers", lock.model_layers},
        {"dtype", plan.dtype},
        {"chat_template_digest", lock.chat_template_digest}}},
      {"contract_version", lock.contract_version},
      {"readout", {{"name", plan.readout}, {"digest", lock.readout_digest}}},
      {"rule", {{"name", plan.rule}, {"digest", lock.rule_digest}}},
      {"data",
       {{"harmful", LockedFileJson(plan.harmful, lock.harmful)},
        {"harmless", LockedFileJson(plan.harmless, lock.harmless)}}},
      {"splits",
       {{"train", plan.sizes.train},
        {"validation", plan.sizes.validation},
        {"test", plan.sizes.test}}},
      {"decoding",
       {{"max_new_tokens", plan.max_new_tokens}, {"repetition_penalty", plan.repetition_penalty}}},
      {"controls",
       {{"family", plan.control_family},
        {"seed", plan.control_seed},
        {"draws", plan.control_draws}}}};
}

}  // namespace

Json SummaryJson(const Lock& lock, const Summary& summary) {
  Json seeds = Json::array();
  for (const SeedSummary& seed : summary.seeds) seeds.push_back(SeedJson(seed));
  return {{"format", kSummaryFormat},
          {"plan", PlanFacts(lock)},
          {"verdict", std::string(VerdictName(summary.overall))},
          {"seeds", std::move(seeds)}};
}

Json VerdictJson(const Lock& lock, const Summary& summary) {
  Json seeds = Json::array();
  for (const SeedSummary& seed : summary.seeds) {
    Json decision = DecisionJson(seed);
    decision["seed"] = seed.seed;
    bool chosen = seed.selection && seed.selection->chosen;
    decision["layer"] = chosen ? Json(seed.selection->layer) : Json();
    seeds.push_back(std::move(decision));
  }
  return {{"plan", lock.plan.name},
          {"plan_digest", lock.digest},
          {"rule", lock.plan.rule},
          {"rule_digest", lock.rule_digest},
          {"verdict", std::string(VerdictName(summary.overall))},
          {"seeds", std::move(seeds)}};
}

absl::StatusOr<std::string> PrettyJson(const Json& value) {
  // The canonical check refuses what JSON cannot carry; the text itself is indented.
  STEER_RETURN_IF_ERROR(CanonicalJson(value).status());
  return value.dump(2) + "\n";
}

}  // namespace steer
