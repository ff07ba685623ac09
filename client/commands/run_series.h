// How many series a run may show, and what is left out where a plan would show more.
#ifndef STEER_CLIENT_COMMANDS_RUN_SERIES_H_
#define STEER_CLIENT_COMMANDS_RUN_SERIES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "client/plan/lock.h"

namespace steer {

// Of a whole page of steerctl.
inline constexpr int64_t kMostSeries = 2000;
// Of what is pushed: the page has the pushes' own and the process's beside it.
inline constexpr int64_t kMostPushedSeries = 1900;
// More servers than these are left out altogether.
inline constexpr size_t kMostServersShown = 64;

// Detail that is shown. What is dropped first stands first: per-seed numbers become sums and means
// over seeds (seed="all"), then swing by layer goes, then control draws beyond the first, the only
// one that the rule reads.
struct SeriesLevels {
  bool seed = true;
  bool layer = true;
  bool draw = true;
  // "seed", "seed, layer"; empty if nothing is dropped.
  std::string dropped() const;
  friend bool operator==(const SeriesLevels&, const SeriesLevels&) = default;
};

// At most so many series will a run of the lock push at any time of its life.
int64_t MostSeriesOf(const Lock& lock, const SeriesLevels& levels);
// The levels that keep MostSeriesOf within kMostPushedSeries. A function of the lock alone: a series
// never comes or goes because a run has come further.
SeriesLevels LevelsOf(const Lock& lock);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_SERIES_H_
