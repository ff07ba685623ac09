#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/plan/plan.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace steer {
namespace {

Json SourceJson(const PromptSource& source) {
  const bool csv = source.format == PromptFormat::kCsv;
  Json json = {{"file", source.file},
               {"format", std::string(PromptFormatName(source.format))},
               {"min_characters", source.min_characters}};
  if (!source.field.empty()) json[csv ? "column" : "key"] = source.field;
  if (source.max_characters != 0) json["max_characters"] = source.max_characters;
  for (const FieldFilter& filter : source.filters) {
    json["filters"].push_back({{csv ? "column" : "key", filter.field},
                               {filter.equal ? "equals" : "differs", filter.value}});
  }
  return json;
}

}  // namespace

Json PlanToJson(const Plan& plan) {
  Json model = {{"name", plan.model_name}, {"dtype", plan.dtype}};
  if (!plan.model_fingerprint.empty()) model["fingerprint"] = plan.model_fingerprint;
  Json prompt = Json::object();
  if (plan.system.has_value()) prompt["system"] = *plan.system;
  Json selection = {
      {"rule", plan.selection_rule}, {"position", plan.selection_position}, {"layers", "all"}};
  if (plan.layers.has_value()) selection["layers"] = *plan.layers;
  return {
      {"version", 1},
      {"name", plan.name},
      {"model", model},
      {"prompt", prompt},
      {"data", {{"harmful", SourceJson(plan.harmful)}, {"harmless", SourceJson(plan.harmless)}}},
      {"splits",
       {{"train", plan.sizes.train},
        {"validation", plan.sizes.validation},
        {"test", plan.sizes.test}}},
      {"seeds", plan.seeds},
      {"fit",
       {{"method", plan.fit_method},
        {"positions", plan.positions},
        {"keep_states", plan.keep_states}}},
      {"selection", selection},
      {"readout",
       {{"name", plan.readout},
        {"quality", plan.quality},
        {"scores", plan.scores},
        {"refusal_token_ids", plan.refusal_token_ids}}},
      {"decoding",
       {{"max_new_tokens", plan.max_new_tokens}, {"repetition_penalty", plan.repetition_penalty}}},
      {"controls",
       {{"family", plan.control_family},
        {"seed", plan.control_seed},
        {"draws", plan.control_draws}}},
      {"rule", plan.rule}};
}

absl::StatusOr<Plan> PlanFromJson(const Json& json) {
  // JSON is YAML: the same reader applies the same rules, and what it would have accepted beyond
  // JSON that we wrote shows in the round trip.
  STEER_ASSIGN_OR_RETURN(const std::string text, CanonicalJson(json));
  STEER_ASSIGN_OR_RETURN(Plan plan, ParsePlan(text, "plan"));
  const Json written = PlanToJson(plan);
  if (written == json) return plan;
  const Json difference = Json::diff(written, json);
  return absl::InvalidArgumentError(absl::StrCat("plan: not as this program writes it, first at ",
                                                 difference.front().value("path", "/")));
}

}  // namespace steer
