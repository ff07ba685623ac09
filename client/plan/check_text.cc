// PlanCheck for people and for programs.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/plan/check.h"
#include "client/plan/words.h"

namespace steer {
namespace {

// Near twins that are listed one by one in the text; JSON has them all.
constexpr size_t kListedTwins = 20;

std::string ClassLine(absl::string_view name, const LockedFile& file, int64_t pool) {
  return absl::StrFormat(
      "  %-9s %d rows: %d blank, %d filtered, %d duplicates, %d in both classes; %d prompts left\n",
      name, file.rows, file.blank, file.filtered, file.duplicates, file.in_both, pool);
}

std::string SurfaceLine(absl::string_view name, const ClassSurface& surface) {
  std::string line = absl::StrFormat("  %-9s characters %.1f (%d to %d), words %.1f (%d to %d)",
                                     name, surface.characters.mean, surface.characters.minimum,
                                     surface.characters.maximum, surface.words.mean,
                                     surface.words.minimum, surface.words.maximum);
  if (surface.tokens_known > 0) {
    absl::StrAppendFormat(&line, ", tokens %.1f (%d to %d)", surface.tokens.mean,
                          surface.tokens.minimum, surface.tokens.maximum);
  }
  return absl::StrFormat("%s; final punctuation %.0f %%\n", line, 100 * surface.punctuated_share());
}

std::string PlaceText(const NearTwin::Place& place) {
  return absl::StrFormat("%s %s row %d", PromptClassName(place.prompt_class),
                         SplitPartName(place.part), place.row);
}

Json LengthJson(const LengthSummary& lengths) {
  return {{"mean", lengths.mean},
          {"deviation", lengths.deviation},
          {"minimum", lengths.minimum},
          {"median", lengths.median},
          {"maximum", lengths.maximum}};
}

Json SurfaceJson(const ClassSurface& surface) {
  return {{"prompts", surface.prompts},
          {"characters", LengthJson(surface.characters)},
          {"words", LengthJson(surface.words)},
          {"tokens", LengthJson(surface.tokens)},
          {"tokens_known", surface.tokens_known},
          {"end",
           {{"full_stop", surface.end_full_stop},
            {"question", surface.end_question},
            {"exclamation", surface.end_exclamation},
            {"other_punctuation", surface.end_other_punctuation},
            {"none", surface.end_none}}}};
}

Json ClassJson(const LockedFile& file, int64_t pool, const ClassSurface& surface) {
  return {{"sha256", file.sha256},
          {"rows", file.rows},
          {"blank", file.blank},
          {"filtered", file.filtered},
          {"duplicates", file.duplicates},
          {"in_both", file.in_both},
          {"prompts", pool},
          {"surface", SurfaceJson(surface)}};
}

Json PlaceJson(const NearTwin::Place& place) {
  return {{"class", std::string(PromptClassName(place.prompt_class))},
          {"part", std::string(SplitPartName(place.part))},
          {"row", place.row}};
}

// JSON has no infinity: where both classes are constant and differ, there is no standardised
// difference.
Json FiniteOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(); }

}  // namespace

std::string RenderPlanCheck(const Plan& plan, const PlanCheck& check) {
  std::string text = absl::StrCat(
      "plan ", plan.name, "\ndata\n", ClassLine("harmful", check.harmful, check.harmful_pool),
      ClassLine("harmless", check.harmless, check.harmless_pool),
      "prompts in the splits of all seeds\n", SurfaceLine("harmful", check.harmful_surface),
      SurfaceLine("harmless", check.harmless_surface));
  absl::StrAppendFormat(&text, "near twins across splits (similarity %.2f or more): %d\n",
                        kNearTwinThreshold, check.twins.size());
  for (size_t i = 0; i < check.twins.size() && i < kListedTwins; ++i) {
    const NearTwin& twin = check.twins[i];
    absl::StrAppendFormat(&text, "  seed %d: %s, %s: %.3f\n", twin.seed, PlaceText(twin.first),
                          PlaceText(twin.second), twin.similarity);
  }
  if (check.twins.size() > kListedTwins)
    absl::StrAppend(&text, "  and ", check.twins.size() - kListedTwins, " more\n");
  if (check.work.has_value()) {
    absl::StrAppend(&text, "work, at most\n");
    for (const StageEstimate& stage : check.work->stages) {
      absl::StrAppendFormat(
          &text, "  %-9s %d rows, %d decode steps%s\n", stage.stage, stage.rows, stage.decode_steps,
          check.work->timed ? absl::StrCat(", ", SecondsText(stage.seconds)) : "");
    }
    absl::StrAppend(&text, "  in all    ",
                    check.work->timed ? SecondsText(check.work->seconds)
                                      : "unknown: the server measured no rates",
                    "\n");
    if (check.trial && check.expected_seconds) {
      absl::StrAppend(&text, "about       ", SecondsText(*check.expected_seconds),
                      ", by a trial of ", check.trial->rows, " training prompts that took ",
                      SecondsText(check.trial->seconds), "\n");
    }
    if (check.spread_seconds) {
      absl::StrAppend(&text, "  on ", check.servers,
                      " servers, each seed whole on one: ", SecondsText(*check.spread_seconds),
                      "\n");
    }
  }
  for (const std::string& warning : check.warnings)
    absl::StrAppend(&text, "warning: ", warning, "\n");
  for (const Violation& violation : check.violations) {
    absl::StrAppend(&text, "error: ", violation.field, ": ", violation.description, "\n");
  }
  absl::StrAppend(
      &text, check.violations.empty() ? "the plan can be frozen\n" : "the plan cannot be frozen\n");
  return text;
}

Json PlanCheckJson(const PlanCheck& check) {
  Json twins = Json::array();
  for (const NearTwin& twin : check.twins) {
    twins.push_back({{"seed", twin.seed},
                     {"first", PlaceJson(twin.first)},
                     {"second", PlaceJson(twin.second)},
                     {"similarity", twin.similarity}});
  }
  Json violations = Json::array();
  for (const Violation& violation : check.violations) {
    violations.push_back({{"field", violation.field}, {"description", violation.description}});
  }
  Json json = {{"harmful", ClassJson(check.harmful, check.harmful_pool, check.harmful_surface)},
               {"harmless", ClassJson(check.harmless, check.harmless_pool, check.harmless_surface)},
               {"differences",
                {{"characters", FiniteOrNull(check.character_difference)},
                 {"words", FiniteOrNull(check.word_difference)},
                 {"tokens", FiniteOrNull(check.token_difference)}}},
               {"near_twins", twins},
               {"violations", violations},
               {"warnings", check.warnings}};
  if (check.work.has_value()) {
    Json stages = Json::array();
    for (const StageEstimate& stage : check.work->stages) {
      stages.push_back({{"stage", stage.stage},
                        {"rows", stage.rows},
                        {"prompt_tokens", stage.prompt_tokens},
                        {"decode_steps", stage.decode_steps},
                        {"seconds", stage.seconds}});
    }
    json["work"] = {
        {"stages", stages}, {"seconds", check.work->seconds}, {"timed", check.work->timed}};
    if (check.trial && check.expected_seconds) {
      json["work"]["trial"] = {{"rows", check.trial->rows}, {"seconds", check.trial->seconds}};
      json["work"]["expected_seconds"] = *check.expected_seconds;
    }
    if (check.servers > 1) {
      json["work"]["servers"] = check.servers;
      json["work"]["spread_seconds"] = check.spread_seconds ? Json(*check.spread_seconds) : Json();
    }
  }
  return json;
}

}  // namespace steer
