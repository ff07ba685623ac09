// What a plan costs at the rates that a server measured at its start. Pure functions.
#ifndef STEER_CLIENT_PLAN_ESTIMATE_H_
#define STEER_CLIENT_PLAN_ESTIMATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "client/plan/plan.h"
#include "client/plan/server_facts.h"

namespace steer {

struct StageEstimate {
  std::string stage;          // "fit", "selection", "arms", "reference" (unedited rows for KL)
  int64_t rows = 0;           // over all seeds
  int64_t prompt_tokens = 0;  // rows * mean tokens, rounded up
  int64_t decode_steps = 0;   // upper bound: ceil(rows / R) * max_new_tokens; 0 for fitting
  double seconds = 0;         // 0 if a rate was not measured
};

struct WorkEstimate {
  std::vector<StageEstimate> stages;
  double seconds = 0;  // an upper bound: rows stop early once their outcome is certain
  bool timed = false;  // rates were there
};

// Rows of the plan's own that a server evaluated, and how long they took.
struct Trial {
  int64_t rows = 0;
  double seconds = 0;
};

// What the work will take, by a trial: rows that decode at the trial's pace, prompts that are only read at the
// measured rate. Not a bound. Unset where the trial has no row, or no rate was measured.
absl::optional<double> ExpectedSeconds(const WorkEstimate& work, const ServerFacts& facts,
                                       const Trial& trial);

// `mean_tokens`: of a templated prompt. facts.layers > 0 and facts.decode_rows > 0 are needed for
// rows and steps; with R unknown, R = 1.
WorkEstimate EstimateWork(const Plan& plan, const ServerFacts& facts, double mean_tokens);

// Seconds of a run on several servers, each seed whole on one and given to the server that is free
// first. `on_each`: the whole work on each server alone. Unset if a server measured no rates.
absl::optional<double> SpreadSeconds(const std::vector<WorkEstimate>& on_each, int64_t seeds);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_ESTIMATE_H_
