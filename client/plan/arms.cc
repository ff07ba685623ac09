#include "client/plan/arms.h"

#include "absl/strings/str_cat.h"

namespace steer {

absl::string_view EditKindName(EditKind edit) {
  if (edit == EditKind::kNone) return "none";
  return edit == EditKind::kAblate ? "ablate" : "add";
}

std::vector<ArmSpec> TestArms(const Plan& plan) {
  std::vector<ArmSpec> arms;
  auto append = [&](PromptClass prompts, EditKind edit) {
    const absl::string_view suffix = PromptClassName(prompts);
    const absl::string_view verb = EditKindName(edit);
    arms.push_back(
        {absl::StrCat("baseline/", suffix), prompts, EditKind::kNone, -1, absl::nullopt});
    arms.push_back({absl::StrCat(verb, "/", suffix), prompts, edit, -1, absl::nullopt});
    for (int draw = 0; draw < plan.control_draws; ++draw) {
      arms.push_back({absl::StrCat(verb, "-control-", draw, "/", suffix), prompts, edit, -1, draw});
    }
  };
  append(PromptClass::kHarmful, EditKind::kAblate);
  append(PromptClass::kHarmless, EditKind::kAdd);
  return arms;
}

std::vector<ArmSpec> SelectionArms(const std::vector<int>& layers) {
  std::vector<ArmSpec> arms = {
      {"baseline/harmful", PromptClass::kHarmful, EditKind::kNone, -1, absl::nullopt},
      {"baseline/harmless", PromptClass::kHarmless, EditKind::kNone, -1, absl::nullopt},
  };
  for (int layer : layers) {
    arms.push_back({absl::StrCat("layer-", layer, "/ablate/harmful"), PromptClass::kHarmful,
                    EditKind::kAblate, layer, absl::nullopt});
    arms.push_back({absl::StrCat("layer-", layer, "/add/harmless"), PromptClass::kHarmless,
                    EditKind::kAdd, layer, absl::nullopt});
  }
  return arms;
}

std::vector<int> CandidateLayers(const Plan& plan, int layers) {
  if (plan.layers.has_value()) return *plan.layers;
  std::vector<int> all;
  for (int layer = 1; layer < layers; ++layer) all.push_back(layer);
  return all;
}

uint64_t ControlSeed(const Plan& plan, uint64_t seed) { return plan.control_seed + seed; }

}  // namespace steer
