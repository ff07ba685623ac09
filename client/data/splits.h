// Train, validation and test prompts of one seed. A split depends on (pool, sizes, seed) alone:
// Philox streams, one for each class. Pure functions; any thread.
#ifndef STEER_CLIENT_DATA_SPLITS_H_
#define STEER_CLIENT_DATA_SPLITS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/data/pool.h"

namespace steer {

enum class SplitPart { kTrain, kValidation, kTest };
inline constexpr std::array<SplitPart, 3> kSplitParts = {SplitPart::kTrain, SplitPart::kValidation,
                                                         SplitPart::kTest};
absl::string_view SplitPartName(SplitPart part);  // "train", "validation", "test"

// Prompts of each class in each part.
struct SplitSizes {
  int64_t train = 0;
  int64_t validation = 0;
  int64_t test = 0;
  int64_t total() const { return train + validation + test; }
  int64_t of(SplitPart part) const;
  friend bool operator==(const SplitSizes&, const SplitSizes&) = default;
};

// Prompts in drawn order. No hash occurs twice, in whatever part.
struct ClassSplits {
  std::vector<PromptRecord> train;
  std::vector<PromptRecord> validation;
  std::vector<PromptRecord> test;
  const std::vector<PromptRecord>& of(SplitPart part) const;
  std::vector<PromptRecord>& of(SplitPart part);
};

struct SeedSplits {
  uint64_t seed = 0;
  ClassSplits harmful;
  ClassSplits harmless;
  const ClassSplits& of(PromptClass prompt_class) const {
    return prompt_class == PromptClass::kHarmful ? harmful : harmless;
  }
  ClassSplits& of(PromptClass prompt_class) {
    return prompt_class == PromptClass::kHarmful ? harmful : harmless;
  }
};

// Named in locks; changes if the same seed would give other splits.
inline constexpr char kSplitVersion[] = "split-1";

// FAILED_PRECONDITION naming class, wanted and available prompts if a pool is too small.
absl::StatusOr<SeedSplits> DrawSplits(const Pools& pools, const SplitSizes& sizes, uint64_t seed);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_SPLITS_H_
