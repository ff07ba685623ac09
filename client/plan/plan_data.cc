#include "client/plan/plan_data.h"

#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {

absl::StatusOr<PlanData> LoadPlanData(const Plan& plan, const std::string& data_root) {
  auto harmful = ReadPromptFile(plan.harmful, data_root);
  auto harmless = ReadPromptFile(plan.harmless, data_root);
  if (!harmful.ok() && !harmless.ok()) {
    return absl::Status(harmful.status().code(), absl::StrCat(harmful.status().message(), "; ",
                                                              harmless.status().message()));
  }
  STEER_RETURN_IF_ERROR(harmful.status());
  STEER_RETURN_IF_ERROR(harmless.status());
  PlanData data;
  STEER_ASSIGN_OR_RETURN(data.pools, BuildPools(*harmful, *harmless));
  harmful->kept.clear();
  harmless->kept.clear();
  data.harmful = *std::move(harmful);
  data.harmless = *std::move(harmless);
  for (uint64_t seed : plan.seeds) {
    STEER_ASSIGN_OR_RETURN(SeedSplits splits, DrawSplits(data.pools, plan.sizes, seed));
    data.splits.push_back(std::move(splits));
  }
  return data;
}

std::string DataRoot(const std::string& data_root_flag, const std::string& plan_or_lock_path) {
  if (!data_root_flag.empty()) return data_root_flag;
  const size_t slash = plan_or_lock_path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : plan_or_lock_path.substr(0, slash);
}

std::vector<PromptRecord> PromptsInUse(const std::vector<SeedSplits>& splits,
                                       PromptClass prompt_class) {
  std::map<int64_t, const PromptRecord*> by_row;
  for (const SeedSplits& seed : splits) {
    for (SplitPart part : kSplitParts) {
      for (const PromptRecord& record : seed.of(prompt_class).of(part))
        by_row.emplace(record.row, &record);
    }
  }
  std::vector<PromptRecord> prompts;
  for (const auto& [row, record] : by_row) prompts.push_back(*record);
  return prompts;
}

std::vector<PromptRecord> PromptsInUse(const std::vector<SeedSplits>& splits) {
  std::vector<PromptRecord> prompts = PromptsInUse(splits, PromptClass::kHarmful);
  for (PromptRecord& record : PromptsInUse(splits, PromptClass::kHarmless))
    prompts.push_back(std::move(record));
  return prompts;
}

}  // namespace steer
