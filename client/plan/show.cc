#include "client/plan/show.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/stats/decision.h"

namespace steer {
namespace {

// Long lists of layers are runs in practice.
std::string LayersText(const std::vector<int>& layers) {
  if (layers.empty()) return "none";
  const bool run = layers.back() - layers.front() + 1 == static_cast<int>(layers.size());
  return run && layers.size() > 2 ? absl::StrCat(layers.front(), " to ", layers.back())
                                  : absl::StrJoin(layers, ", ");
}

std::string FileText(const Lock& lock, PromptClass prompt_class) {
  const LockedFile& file = prompt_class == PromptClass::kHarmful ? lock.harmful : lock.harmless;
  return absl::StrFormat("  %-13s %s, %d rows, SHA-256 %s\n", PromptClassName(prompt_class),
                         lock.plan.source(prompt_class).file, file.rows, file.sha256);
}

}  // namespace

std::string RenderLock(const Lock& lock) {
  const Plan& plan = lock.plan;
  std::string text;
  auto line = [&](absl::string_view name, absl::string_view value) {
    absl::StrAppendFormat(&text, "  %-13s %s\n", name, value);
  };
  absl::StrAppend(&text, "lock ", plan.name, "\n");
  line("digest", lock.digest);
  line("model", absl::StrCat(plan.model_name, ", ", lock.model_layers, " blocks, ", plan.dtype));
  line("fingerprint", lock.model_fingerprint);
  line("template", lock.chat_template_digest);
  line("contract", lock.contract_version);
  absl::StrAppend(&text, FileText(lock, PromptClass::kHarmful),
                  FileText(lock, PromptClass::kHarmless));
  line("splits", absl::StrCat("train ", plan.sizes.train, ", validation ", plan.sizes.validation,
                              ", test ", plan.sizes.test, " of each class"));
  line("seeds", absl::StrJoin(plan.seeds, ", "));
  line("fit", absl::StrCat(plan.fit_method, " at ", absl::StrJoin(plan.positions, ", ")));
  line("selection",
       absl::StrCat(plan.selection_rule, " at ", plan.selection_position, " among layers ",
                    LayersText(lock.candidate_layers), ", ties to the lowest"));
  line("readout",
       absl::StrCat(plan.readout, plan.quality ? ", quality" : "", plan.scores ? ", scores" : ""));
  line("decoding",
       absl::StrCat("greedy, ", plan.max_new_tokens, " new tokens",
                    plan.repetition_penalty == 1.0
                        ? ""
                        : absl::StrCat(", repetition penalty ", plan.repetition_penalty)));
  line("controls", absl::StrCat(plan.control_family, ", seed ", plan.control_seed,
                                " + experiment seed, draws ", plan.control_draws));
  std::vector<std::string> names;
  for (const ArmSpec& arm : lock.arms) names.push_back(arm.name);
  if (names.size() > 12) {
    names.resize(12);
    names.push_back(absl::StrCat("and ", lock.arms.size() - 12, " more"));
  }
  line("arms", absl::StrJoin(names, ", "));
  line("rule", absl::StrCat(plan.rule, ", SHA-256 ", lock.rule_digest));
  return text;
}

Json SplitsJson(const std::vector<SeedSplits>& splits) {
  Json json = Json::object();
  for (const SeedSplits& seed : splits) {
    Json& entry = json[absl::StrCat(seed.seed)];
    for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
      for (SplitPart part : kSplitParts) {
        Json rows = Json::array();
        for (const PromptRecord& record : seed.of(prompt_class).of(part)) {
          rows.push_back(Json::array({record.row, record.hash}));
        }
        entry[std::string(PromptClassName(prompt_class))][std::string(SplitPartName(part))] =
            std::move(rows);
      }
    }
  }
  return json;
}

Json SplitsTextJson(const SeedSplits& splits) {
  Json json;
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    for (SplitPart part : kSplitParts) {
      Json texts = Json::array();
      for (const PromptRecord& record : splits.of(prompt_class).of(part))
        texts.push_back(record.text);
      json[std::string(PromptClassName(prompt_class))][std::string(SplitPartName(part))] =
          std::move(texts);
    }
  }
  return json;
}

}  // namespace steer
