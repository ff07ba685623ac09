// A run as gauges for the Pushgateway. Counts first: rates are there for the eye, sums and
// divisions belong to queries.
#ifndef STEER_CLIENT_COMMANDS_RUN_METRICS_H_
#define STEER_CLIENT_COMMANDS_RUN_METRICS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/plan/lock.h"
#include "client/report/summary.h"

namespace steer {

struct RunProgressFacts {
  int64_t cells = 0;
  int64_t done_cells = 0;
  int64_t failed_cells = 0;
  int64_t rows = 0;
  int64_t done_rows = 0;
  absl::optional<double> seconds_left;
  double started = 0;  // Unix seconds
  double now = 0;      // Unix seconds
  int64_t retries = 0;
  std::string state = "running";  // running, done, incomplete, stopped
};

// `summary` may be of a run that is not finished. Pure.
std::string RenderRunMetrics(const Lock& lock, const Summary& summary,
                             const RunProgressFacts& progress);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_METRICS_H_
