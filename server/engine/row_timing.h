// When a row's steps and tokens came, as telemetry reports them. Engine thread only.
#ifndef STEER_SERVER_ENGINE_ROW_TIMING_H_
#define STEER_SERVER_ENGINE_ROW_TIMING_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/engine/observer.h"
#include "server/engine/row.h"

namespace steer {

// A step of these rows ran from `began` to `ended`: notes it in them, and tells of new tokens.
void TimeRows(const std::vector<Row*>& rows, absl::Time began, absl::Time ended,
              EngineObserver* observer);

// Distinct interventions among the rows; rows of one arm share theirs.
int64_t CountInterventions(const std::vector<Row*>& rows);

RowReport ReportOf(const Row& row);

// How the rows of a call that ended with `status` end.
RowFinish FinishOf(const absl::Status& status);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_ROW_TIMING_H_
