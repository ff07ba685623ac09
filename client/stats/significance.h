// Exact tests on refusals of the same prompts under two arms, and of a fitted direction against
// draws of its null. Pure functions.
#ifndef STEER_CLIENT_STATS_SIGNIFICANCE_H_
#define STEER_CLIENT_STATS_SIGNIFICANCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace steer {

// Outcomes of one prompt under both arms, counted.
struct PairedCounts {
  int64_t both = 0;
  int64_t only_first = 0;
  int64_t only_second = 0;
  int64_t neither = 0;
};
// Element i of both is the same prompt. INVALID_ARGUMENT if the lengths differ.
absl::StatusOr<PairedCounts> CountPairs(const std::vector<bool>& first,
                                        const std::vector<bool>& second);

// Two-sided exact McNemar test: min(1, 2 P[X <= min(b, c)]), X ~ Binomial(b + c, 1/2). 1 if b + c =
// 0.
double McNemarExact(int64_t only_first, int64_t only_second);

// (1 + #{draws at least as extreme}) / (K + 1), never 0: Phipson and Smyth 2010. Requires
// 0 <= at_least_as_extreme <= draws; 1 for K = 0.
double RankPValue(int64_t at_least_as_extreme, int64_t draws);
// Large values are extreme: counts draws >= observed.
double RankPValue(double observed, absl::Span<const double> draws);

}  // namespace steer

#endif  // STEER_CLIENT_STATS_SIGNIFICANCE_H_
