// The files that a run folder ends with, made anew from its lock and log.
#ifndef STEER_CLIENT_REPORT_OUTPUTS_H_
#define STEER_CLIENT_REPORT_OUTPUTS_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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

enum class OutputFile { kSummary, kVerdict, kFigureSvg, kFigurePng, kReport };
// Takes one file's bytes. An error ends the making.
using OutputSink = std::function<absl::Status(OutputFile file, absl::string_view bytes)>;

// Hands every file to `sink`, in the order above, each as soon as it is made; figures that cannot be
// drawn are left out. Pure but for gnuplot: the same lock and log give the same bytes.
absl::StatusOr<Outputs> MakeOutputs(const Lock& lock, const ResultLog& log, const OutputSink& sink);

// Writes summary.json, verdict.json, figure.svg, figure.png and report.html, each atomically
// (failpoints run.summary, run.verdict, run.figure_svg, run.figure_png, run.report). Errors of the
// disk carry reason DISK.
absl::StatusOr<Outputs> WriteOutputs(const Lock& lock, const ResultLog& log, const RunPaths& paths);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_OUTPUTS_H_
