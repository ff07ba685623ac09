#include "client/plan/estimate.h"

#include <algorithm>
#include <cmath>

#include "client/plan/arms.h"

namespace steer {

WorkEstimate EstimateWork(const Plan& plan, const ServerFacts& facts, double mean_tokens) {
  const int64_t seeds = static_cast<int64_t>(plan.seeds.size());
  const int64_t row_slots = std::max(facts.decode_rows, 1);
  WorkEstimate work;
  work.timed = facts.prefill_tokens_per_second > 0 && facts.decode_steps_per_second > 0;
  auto add = [&](const char* stage, int64_t rows_of_a_seed, bool decodes) {
    StageEstimate estimate;
    estimate.stage = stage;
    estimate.rows = rows_of_a_seed * seeds;
    estimate.prompt_tokens =
        static_cast<int64_t>(std::ceil(static_cast<double>(estimate.rows) * mean_tokens));
    // Stages of a seed follow one another, so each fills up its last step on its own.
    const int64_t waves = (rows_of_a_seed + row_slots - 1) / row_slots;
    estimate.decode_steps = decodes ? waves * plan.max_new_tokens * seeds : 0;
    if (work.timed) {
      estimate.seconds =
          static_cast<double>(estimate.prompt_tokens) / facts.prefill_tokens_per_second +
          static_cast<double>(estimate.decode_steps) / facts.decode_steps_per_second;
      work.seconds += estimate.seconds;
    }
    work.stages.push_back(estimate);
  };
  const int64_t candidates = static_cast<int64_t>(CandidateLayers(plan, facts.layers).size());
  const int64_t test_arms = static_cast<int64_t>(TestArms(plan).size());
  add("fit", 2 * plan.sizes.train, false);
  add("selection", 2 * (1 + candidates) * plan.sizes.validation, true);
  add("arms", test_arms * plan.sizes.test, true);
  if (plan.scores) add("reference", 2 * (plan.sizes.validation + plan.sizes.test), false);
  return work;
}

absl::optional<double> ExpectedSeconds(const WorkEstimate& work, const ServerFacts& facts,
                                       const Trial& trial) {
  if (trial.rows <= 0 || facts.prefill_tokens_per_second <= 0) return absl::nullopt;
  double seconds = 0;
  for (const StageEstimate& stage : work.stages) {
    seconds +=
        stage.decode_steps > 0
            ? static_cast<double>(stage.rows) * trial.seconds / static_cast<double>(trial.rows)
            : static_cast<double>(stage.prompt_tokens) / facts.prefill_tokens_per_second;
  }
  return seconds;
}

absl::optional<double> SpreadSeconds(const std::vector<WorkEstimate>& on_each, int64_t seeds) {
  std::vector<double> free_at(on_each.size());
  double end = 0;
  for (int64_t seed = 0; seed < seeds; ++seed) {
    const size_t server =
        static_cast<size_t>(std::min_element(free_at.begin(), free_at.end()) - free_at.begin());
    if (server == on_each.size() || !on_each[server].timed) return absl::nullopt;
    free_at[server] += on_each[server].seconds / static_cast<double>(seeds);
    end = std::max(end, free_at[server]);
  }
  return end;
}

}  // namespace steer
