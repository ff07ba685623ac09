#include "client/data/splits.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/philox.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Streams of Philox key `seed`; distinct, so that the classes are sampled independently, and far
// from the small numbers that draws of controls use.
constexpr uint64_t kHarmfulStream = 0x73706c6974000001;
constexpr uint64_t kHarmlessStream = 0x73706c6974000002;

absl::StatusOr<ClassSplits> DrawClass(const ClassPool& pool, absl::string_view name,
                                      const SplitSizes& sizes, const PhiloxStream& stream) {
  const int64_t available = static_cast<int64_t>(pool.prompts.size());
  if (sizes.train < 0 || sizes.validation < 0 || sizes.test < 0) {
    return absl::InvalidArgumentError("a split size is negative");
  }
  if (sizes.total() > available) {
    return absl::FailedPreconditionError(
        absl::StrCat("the splits want ", sizes.total(), " ", name, " prompts (train ", sizes.train,
                     ", validation ", sizes.validation, ", test ", sizes.test, ") and ", available,
                     " are left after filters and deduplication"));
  }
  const std::vector<size_t> drawn =
      SampleWithoutReplacement(stream, pool.prompts.size(), static_cast<size_t>(sizes.total()));
  ClassSplits splits;
  size_t next = 0;
  for (SplitPart part : kSplitParts) {
    for (int64_t i = 0; i < sizes.of(part); ++i)
      splits.of(part).push_back(pool.prompts[drawn[next++]]);
  }
  return splits;
}

}  // namespace

absl::string_view SplitPartName(SplitPart part) {
  if (part == SplitPart::kTrain) return "train";
  return part == SplitPart::kValidation ? "validation" : "test";
}

int64_t SplitSizes::of(SplitPart part) const {
  if (part == SplitPart::kTrain) return train;
  return part == SplitPart::kValidation ? validation : test;
}

std::vector<PromptRecord>& ClassSplits::of(SplitPart part) {
  if (part == SplitPart::kTrain) return train;
  return part == SplitPart::kValidation ? validation : test;
}

const std::vector<PromptRecord>& ClassSplits::of(SplitPart part) const {
  return const_cast<ClassSplits*>(this)->of(part);
}

absl::StatusOr<SeedSplits> DrawSplits(const Pools& pools, const SplitSizes& sizes, uint64_t seed) {
  SeedSplits splits;
  splits.seed = seed;
  STEER_ASSIGN_OR_RETURN(splits.harmful, DrawClass(pools.harmful, "harmful", sizes,
                                                   PhiloxStream(seed, kHarmfulStream)));
  STEER_ASSIGN_OR_RETURN(splits.harmless, DrawClass(pools.harmless, "harmless", sizes,
                                                    PhiloxStream(seed, kHarmlessStream)));
  return splits;
}

}  // namespace steer
