// The files that a run folder ends with against those that its lock and log give. Private to
// client/report. Nothing is written; gnuplot draws.
#ifndef STEER_CLIENT_REPORT_OUTPUT_CHECK_H_
#define STEER_CLIENT_REPORT_OUTPUT_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/plan/lock.h"
#include "client/report/check.h"
#include "client/report/summary.h"
#include "client/run/result_log.h"
#include "client/run/run_folder.h"

namespace steer {

// A PNG whose chunks are all there with right checksums. Pure.
bool IsWholePng(absl::string_view bytes);

// "gnuplot 5.4 patchlevel 4" of an SVG that gnuplot drew; empty where it does not say. Pure.
std::string SvgProducer(absl::string_view svg);

struct CheckedOutputs {
  std::vector<CheckResult> checks;  // one a file
  Summary summary;
  std::string summary_bytes;  // of summary.json as it must be
};

// Text (summary, verdict, the report but for its figures) must be equal. A figure must be equal if
// the gnuplot here is the one that drew it, as the SVG says; a PNG shows the fonts of its machine
// too, so one that is whole but not equal is held against the folder as a figure alone. Where gnuplot
// is missing or another one, figures are not checked. `finished`: whether the run has come to its
// end; before it, files may be missing. DATA_LOSS if lock and log contradict each other.
absl::StatusOr<CheckedOutputs> CheckOutputs(const Lock& lock, const ResultLog& log,
                                            const RunPaths& paths, bool finished);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_OUTPUT_CHECK_H_
