// Runs gnuplot on a script. Errors are statuses; nothing of it stays on the disk.
#ifndef STEER_CLIENT_REPORT_GNUPLOT_H_
#define STEER_CLIENT_REPORT_GNUPLOT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace steer {

// Reason of errors in drawing; results are complete without figures.
inline constexpr char kFigureReason[] = "FIGURE";

// What the script wrote to its standard output. UNAVAILABLE (reason FIGURE) if gnuplot is not
// installed; INTERNAL (reason FIGURE) with its first words if it failed, drew nothing or ran past
// `timeout`. User settings (~/.gnuplot, GNUTERM) are ignored, so that bytes depend on the script
// and gnuplot's version alone.
absl::StatusOr<std::string> RunGnuplot(absl::string_view script,
                                       absl::Duration timeout = absl::Seconds(60));

// A string literal of gnuplot: no escapes, no markup.
std::string GnuplotQuote(absl::string_view text);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_GNUPLOT_H_
