// Times a few training prompts on a server, for `plan check --trial`: how long rows last is the model's to say, and
// rates measured with full steps of nothing are no rates of a run.
#ifndef STEER_CLIENT_COMMANDS_TRIAL_H_
#define STEER_CLIENT_COMMANDS_TRIAL_H_

#include "absl/status/statusor.h"
#include "client/api/client.h"
#include "client/plan/estimate.h"
#include "client/plan/plan_data.h"
#include "client/plan/server_facts.h"

namespace steer {

// Evaluates training prompts of the first seed, both classes alike, as EXPLORE and without an edit: as many as four
// decode steps hold, if there are so many. They are to be fitted on anyway, so no split is touched. Keeps counts and
// seconds alone. The first such call on a server warms it up and is not timed.
absl::StatusOr<Trial> TryPlan(const Plan& plan, const PlanData& data, const ServerFacts& facts,
                              Client* client);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_TRIAL_H_
