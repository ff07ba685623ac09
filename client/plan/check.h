// `plan check`: everything that can be said of a plan before it is frozen. Numbers, rows and hashes
// only, never prompt text.
#ifndef STEER_CLIENT_PLAN_CHECK_H_
#define STEER_CLIENT_PLAN_CHECK_H_

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "client/data/class_report.h"
#include "client/data/near_twins.h"
#include "client/plan/estimate.h"
#include "client/plan/lock.h"
#include "client/plan/plan.h"
#include "client/plan/plan_data.h"
#include "client/plan/server_facts.h"
#include "common/errors.h"
#include "common/json.h"

namespace steer {

struct PlanCheck {
  LockedFile harmful;
  LockedFile harmless;
  int64_t harmful_pool = 0;  // prompts after deduplication
  int64_t harmless_pool = 0;
  ClassSurface harmful_surface;  // over PromptsInUse
  ClassSurface harmless_surface;
  double character_difference = 0;  // StandardisedDifference, harmful - harmless
  double word_difference = 0;
  double token_difference = 0;  // 0 if tokens are not known
  std::vector<NearTwin> twins;  // every seed
  std::vector<Violation>
      violations;  // of CheckAgainstServer and context length; the plan cannot be frozen
  std::vector<std::string> warnings;        // worth a look, one sentence each
  double mean_tokens = 0;                   // of a templated prompt; 0 if tokens are not known
  absl::optional<WorkEstimate> work;        // with facts
  absl::optional<Trial> trial;              // if one was asked for
  absl::optional<double> expected_seconds;  // by the trial
  // With several servers: how many, and the time on all of them, if they measured their rates.
  int servers = 1;
  absl::optional<double> spread_seconds;
};

// `facts` null: no server was asked. `tokens`: templated prompt lengths by hash, may be empty.
absl::StatusOr<PlanCheck> CheckPlan(const Plan& plan, const PlanData& data,
                                    const ServerFacts* facts, const TokenCounts& tokens);

// Text for people (several lines, ends with a newline) and JSON for programs.
std::string RenderPlanCheck(const Plan& plan, const PlanCheck& check);
Json PlanCheckJson(const PlanCheck& check);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_CHECK_H_
