// A run as metrics, for the Pushgateway and for a scrape. Counts first: rates are there for the eye,
// sums and divisions belong to queries.
#ifndef STEER_CLIENT_COMMANDS_RUN_METRICS_H_
#define STEER_CLIENT_COMMANDS_RUN_METRICS_H_

#include "absl/status/statusor.h"
#include "client/commands/run_facts.h"
#include "client/plan/lock.h"
#include "client/report/summary.h"
#include "client/run/result_log.h"
#include "client/run/scope.h"
#include "client/telemetry/gateway_group.h"
#include "client/telemetry/histogram.h"
#include "client/telemetry/metrics_text.h"

namespace steer {

// What lock and log say of a run, finished or not.
struct RunState {
  RunState();
  RunScope scope;
  Summary summary;
  // Of the cells that count, in whatever session they were measured.
  Histogram selection_seconds;
  Histogram test_seconds;
};

// As BuildSummary. Reads the whole log.
absl::StatusOr<RunState> ReadRunState(const Lock& lock, const ResultLog& log);

// The snapshot, within kMostPushedSeries (see run_series.h). Pure.
MetricsText RunMetrics(const Lock& lock, const RunState& state, const RunFacts& facts);

// Where an experiment's snapshots are kept.
GatewayGroup ExperimentGroup(const std::string& url, const std::string& experiment);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_METRICS_H_
