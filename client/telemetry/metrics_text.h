// One snapshot of metrics: for the text format (version 0.0.4) of a push, and as families for a
// scrape. A snapshot is built, shown and thrown away; there is no registry to keep in step.
#ifndef STEER_CLIENT_TELEMETRY_METRICS_TEXT_H_
#define STEER_CLIENT_TELEMETRY_METRICS_TEXT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/telemetry/histogram.h"
#include "prometheus/metric_family.h"

namespace steer {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Not thread-safe. Families appear in the order of their names, samples in the order added.
class MetricsText {
 public:
  // Names the family before its samples. `type` is "gauge", "counter" or "histogram"; repeating the
  // same declaration is harmless.
  void Declare(absl::string_view name, absl::string_view type, absl::string_view help);
  // A sample of a declared family; one that is not declared or not finite is left out, since a
  // gateway refuses the whole push for it.
  void Add(absl::string_view name, const Labels& labels, double value);
  void Add(absl::string_view name, const Labels& labels, const Histogram& histogram);

  // Families without a sample are left out of both.
  std::string Render() const;
  std::vector<prometheus::MetricFamily> Families() const;
  // Series that the snapshot has; a histogram has one for each bucket, its sum and its count.
  int64_t series() const { return series_; }

 private:
  std::map<std::string, prometheus::MetricFamily, std::less<>> families_;
  int64_t series_ = 0;
};

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_METRICS_TEXT_H_
