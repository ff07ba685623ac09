// The files that a run folder ends with, made anew from its lock and log.
#ifndef STEER_CLIENT_REPORT_OUTPUTS_H_
#define STEER_CLIENT_REPORT_OUTPUTS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/plan/lock.h"
#include "client/report/summary.h"
#include "client/run/result_log.h"
#include "client/run/run_folder.h"

namespace steer {

struct Outputs {
  Summary summary;
  absl::Status figures;  // reason FIGURE where they could not be drawn; everything else is written
                         // all the same
};

// Writes summary.json, verdict.json, figure.svg, figure.png and report.html, each atomically
// (failpoints run.summary, run.verdict, run.figure_svg, run.figure_png, run.report). Errors of the
// disk carry reason DISK.
absl::StatusOr<Outputs> WriteOutputs(const Lock& lock, const ResultLog& log, const RunPaths& paths);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_OUTPUTS_H_
