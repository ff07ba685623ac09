// Reference values made by tests/golden/stats/make_stats.py.
#ifndef STEER_TESTS_CLIENT_STATS_GOLDEN_H_
#define STEER_TESTS_CLIENT_STATS_GOLDEN_H_

#include <string>

#include "common/json.h"
#include "tests/support/paths.h"

namespace steer {

inline Json StatsGolden(const std::string& file) {
  auto json = ReadJsonFile(SourcePath("tests/golden/stats/" + file));
  return json.ok() ? *json : Json();
}

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_STATS_GOLDEN_H_
