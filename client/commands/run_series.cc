#include "client/commands/run_series.h"

#include <algorithm>

#include "absl/strings/str_join.h"

namespace steer {
namespace {

// Of every run: what it is, its progress, two histograms of 16, calls, the overall verdict, the
// levels.
constexpr int64_t kAlways = 80;
constexpr int64_t kOfAnArm = 7;
constexpr int64_t kMarginsOfASeed = 2 * 5;
constexpr int64_t kVerdictsOfASeed = 5;
constexpr int64_t kLayerOfASeed = 1;

}  // namespace

std::string SeriesLevels::dropped() const {
  std::vector<std::string> names;
  if (!seed) names.push_back("seed");
  if (!layer) names.push_back("layer");
  if (!draw) names.push_back("draw");
  return absl::StrJoin(names, ", ");
}

int64_t MostSeriesOf(const Lock& lock, const SeriesLevels& levels) {
  const int64_t arms = std::count_if(lock.arms.begin(), lock.arms.end(), [&](const ArmSpec& arm) {
    return levels.draw || !arm.control_draw || *arm.control_draw == 0;
  });
  const int64_t layers = levels.layer ? static_cast<int64_t>(lock.candidate_layers.size()) : 0;
  int64_t each = arms * kOfAnArm + kMarginsOfASeed + layers;
  if (levels.seed) {
    each += kVerdictsOfASeed + kLayerOfASeed;
    each *= static_cast<int64_t>(lock.plan.seeds.size());
  }
  return kAlways + static_cast<int64_t>(kMostServersShown) + each;
}

SeriesLevels LevelsOf(const Lock& lock) {
  SeriesLevels levels;
  for (bool* level : {&levels.seed, &levels.layer, &levels.draw}) {
    if (MostSeriesOf(lock, levels) <= kMostPushedSeries) break;
    *level = false;
  }
  return levels;
}

}  // namespace steer
