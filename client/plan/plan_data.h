// The prompts that a plan names: both files read, filtered, deduplicated, and split for every seed.
#ifndef STEER_CLIENT_PLAN_PLAN_DATA_H_
#define STEER_CLIENT_PLAN_PLAN_DATA_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/data/pool.h"
#include "client/data/prompt_file.h"
#include "client/data/splits.h"
#include "client/plan/plan.h"

namespace steer {

struct PlanData {
  PromptFile harmful;  // kept rows have been moved on into `pools`
  PromptFile harmless;
  Pools pools;
  std::vector<SeedSplits> splits;  // in the order of plan.seeds
};

// `data_root`: the folder that the plan's files are relative to. Errors of both classes are
// collected.
absl::StatusOr<PlanData> LoadPlanData(const Plan& plan, const std::string& data_root);

// data_root_flag if not empty, otherwise the folder of plan_or_lock_path ("." for a bare name).
std::string DataRoot(const std::string& data_root_flag, const std::string& plan_or_lock_path);

// The distinct prompts of all splits of all seeds, ordered by class, then row: what `plan check`
// tokenises.
std::vector<PromptRecord> PromptsInUse(const std::vector<SeedSplits>& splits);
std::vector<PromptRecord> PromptsInUse(const std::vector<SeedSplits>& splits,
                                       PromptClass prompt_class);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_PLAN_DATA_H_
