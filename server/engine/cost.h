// What jobs cost, and the limits that they must keep. Pure; any thread; no torch.
#ifndef STEER_SERVER_ENGINE_COST_H_
#define STEER_SERVER_ENGINE_COST_H_

#include "absl/status/statusor.h"
#include "server/engine/engine.h"
#include "server/engine/job.h"

namespace steer {

// Host memory that captured states and reference logits of one call may take.
inline constexpr int64_t kMaxHostBytes = int64_t{4} << 30;

// All violations at once, paths as in the proto request.
absl::StatusOr<JobCost> CostOf(const FitJob& job, const EngineOptions& options,
                               const ModelFacts& facts, int64_t kv_bytes_per_token);
absl::StatusOr<JobCost> CostOf(const GenerateJob& job, const EngineOptions& options,
                               const ModelFacts& facts, int64_t kv_bytes_per_token);
absl::StatusOr<JobCost> CostOf(const EvaluateJob& job, const EngineOptions& options,
                               const ModelFacts& facts, int64_t kv_bytes_per_token);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_COST_H_
