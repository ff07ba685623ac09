// Whether a run folder is whole, from itself alone: no server, no data files, nothing written.
#ifndef STEER_CLIENT_REPORT_RUN_CHECK_H_
#define STEER_CLIENT_REPORT_RUN_CHECK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "client/plan/lock.h"
#include "client/report/check.h"
#include "client/report/run_provenance.h"
#include "client/report/summary.h"
#include "client/run/result_log.h"

namespace steer {

struct CheckedRun {
  // In the order of the lines: lock.json, cells.jsonl, records, fits, cells, receipts, the outputs,
  // run.json, each file in sets/, whatever else lies there. What cannot be looked at since another
  // file is bad is kNotChecked.
  std::vector<CheckResult> checks;
  absl::optional<Lock> lock;        // unset if it cannot be read
  std::unique_ptr<ResultLog> log;   // read only; null likewise, or without the lock
  absl::optional<Summary> summary;  // unset if lock and log contradict each other
  std::string summary_bytes;        // what summary.json must be
  bool complete = false;            // every planned cell is there
  RunProvenance provenance;         // what run.json says
};

// What a checksum cannot find is a folder that was forged as a whole: lock, records, checksums and
// outputs made anew to agree. Against that only a run of one's own helps (compare_runs.h).
// NOT_FOUND (reason NOT_A_RUN_FOLDER) if there is neither lock nor log, FAILED_PRECONDITION with the
// same reason if one of the run's names is a pipe or a folder; ABORTED (reason
// FOLDER_IN_USE) while a client writes there, whom the check keeps out in turn.
absl::StatusOr<CheckedRun> CheckRunFolder(const std::string& folder);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_RUN_CHECK_H_
