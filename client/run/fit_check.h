// A fitted set against what was asked for, and the choice of the layer from logged cells. Private
// to client/run. Pure; any thread.
#ifndef STEER_CLIENT_RUN_FIT_CHECK_H_
#define STEER_CLIENT_RUN_FIT_CHECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "client/plan/lock.h"
#include "client/run/records.h"
#include "client/run/result_log.h"
#include "client/stats/selection.h"
#include "steer/v1/direction.pb.h"
#include "steer/v1/model.pb.h"

namespace steer {

// OK, NUMERICS_CHANGED, or INTERNAL (reason WRONG_SET) naming what is not as asked: model,
// positions, layers, prompts, reports.
absl::Status CheckFittedSet(const v1::DirectionSet& set, const Lock& lock,
                            const SeedSplits& prompts, const v1::GetModelResponse& model);

FitRecord ToFitRecord(const v1::DirectionSet& set, const std::string& plan_digest, uint64_t seed);

// The lock's selection rule on the seed's selection cells. Unset if a cell that it needs is
// missing.
absl::StatusOr<absl::optional<SelectionResult>> ChooseLayer(const Lock& lock, const FitRecord& fit,
                                                            const ResultLog& log);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_FIT_CHECK_H_
