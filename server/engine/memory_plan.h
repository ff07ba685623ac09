// What a model needs in memory before it is loaded, and whether that fits: weights, KV arena and the
// work space of a step. Pure arithmetic; any thread; no torch.
#ifndef STEER_SERVER_ENGINE_MEMORY_PLAN_H_
#define STEER_SERVER_ENGINE_MEMORY_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/model/model_config.h"

namespace steer {

// The sizes that the flags choose.
struct MemoryShape {
  int64_t element_bytes = 2;  // of weights and arena: 2 (bfloat16) or 4 (float32)
  int64_t kv_tokens = 0;
  int64_t decode_rows = 0;
  int64_t prefill_tokens = 0;
  int64_t max_context_tokens = 0;
  bool cuda = false;
};

// Bytes.
struct MemoryPlan {
  int64_t weights = 0;
  int64_t kv_arena = 0;
  // Upper estimate of what is alive at once in one step, and on CUDA what context, libraries and
  // the allocator's rounding take.
  int64_t work = 0;
  int64_t kv_bytes_per_token = 0;
  int64_t total() const { return weights + kv_arena + work; }
};

int64_t CountParameters(const ModelConfig& config);
MemoryPlan PlanMemory(const ModelConfig& config, const MemoryShape& shape);

// RESOURCE_EXHAUSTED (DOES_NOT_FIT) with the arithmetic, what would fit and which flags to lower, if
// the plan needs more than `limit` bytes. `source` says whose limit it is: "--memory-limit".
absl::Status CheckFits(const ModelConfig& config, const MemoryShape& shape, int64_t limit,
                       absl::string_view source);
// The largest arena that fits beside the rest, in tokens; 0 if not even one row's.
int64_t LargestArena(const ModelConfig& config, MemoryShape shape, int64_t limit);

// "6000000000", "6GiB", "512MiB" or "80%" of `total`; INVALID_ARGUMENT for anything else, 0 and
// more than 100 %. A number of bytes may exceed `total`: the caller's word.
absl::StatusOr<int64_t> ParseMemoryLimit(absl::string_view text, int64_t total);

// Memory that this process may use on the host: the smallest of its control groups' limits (v2 and
// v1, walked up to the root below `root`) and MemTotal. 0 if nothing can be read.
int64_t HostMemoryLimit(const std::string& root = "");

// "1.25 GiB", "12 MiB".
std::string ShowBytes(int64_t bytes);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_MEMORY_PLAN_H_
