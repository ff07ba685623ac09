#include "client/stats/significance.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/stats/intervals.h"

namespace steer {

absl::StatusOr<PairedCounts> CountPairs(const std::vector<bool>& first,
                                        const std::vector<bool>& second) {
  if (first.size() != second.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("paired outcomes of ", first.size(), " and ", second.size(), " prompts"));
  }
  PairedCounts counts;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i]) {
      ++(second[i] ? counts.both : counts.only_first);
    } else {
      ++(second[i] ? counts.only_second : counts.neither);
    }
  }
  return counts;
}

double McNemarExact(int64_t only_first, int64_t only_second) {
  const int64_t n = only_first + only_second;
  const int64_t least = std::min(only_first, only_second);
  // Equal counts sit at the centre of the distribution: twice the tail passes 1.
  if (n == 0 || 2 * least == n) return 1.0;
  // P[X <= k] for X ~ Binomial(n, 1/2) is I_{1/2}(n - k, k + 1).
  const double tail =
      RegularisedBeta(static_cast<double>(n - least), static_cast<double>(least + 1), 0.5);
  return std::min(1.0, 2.0 * tail);
}

double RankPValue(int64_t at_least_as_extreme, int64_t draws) {
  return static_cast<double>(1 + at_least_as_extreme) / static_cast<double>(draws + 1);
}

double RankPValue(double observed, absl::Span<const double> draws) {
  const auto extreme =
      std::count_if(draws.begin(), draws.end(), [&](double draw) { return draw >= observed; });
  return RankPValue(static_cast<int64_t>(extreme), static_cast<int64_t>(draws.size()));
}

}  // namespace steer
