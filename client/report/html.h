// report.html: one self-contained file, without scripts, links or prompt text.
#ifndef STEER_CLIENT_REPORT_HTML_H_
#define STEER_CLIENT_REPORT_HTML_H_

#include <string>

#include "absl/strings/string_view.h"
#include "client/plan/lock.h"
#include "client/report/summary.h"

namespace steer {

// & < > " ' as entities.
std::string HtmlEscape(absl::string_view text);

// `figure` and `separation` are SVG documents as gnuplot writes them, or empty where they could not
// be drawn. Pure.
std::string RenderHtml(const Lock& lock, const Summary& summary, absl::string_view figure,
                       absl::string_view separation);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_HTML_H_
