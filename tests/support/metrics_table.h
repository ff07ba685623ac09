// What deploy/metrics.md promises and what a metrics page holds, in one form, to be compared.
#ifndef STEER_TESTS_SUPPORT_METRICS_TABLE_H_
#define STEER_TESTS_SUPPORT_METRICS_TABLE_H_

#include <map>
#include <set>
#include <string>
#include <vector>

namespace steer {

struct MetricFacts {
  std::string type;              // "counter", "gauge", "histogram", "summary"
  std::set<std::string> labels;  // names, "le" and "quantile" aside
  friend bool operator==(const MetricFacts&, const MetricFacts&) = default;
};
using MetricsTable = std::map<std::string, MetricFacts>;

// Rows of the tables under the named "## " headings of deploy/metrics.md:
// | `name`, `other_name` | type | `label`, ... | meaning |
MetricsTable DocumentedMetrics(const std::vector<std::string>& headings);

// Families that have a series, of a page in the text format.
MetricsTable MetricsOfPage(const std::string& page);

// One line for each metric that only one has, or of which they differ.
std::string Differences(const MetricsTable& documented, const MetricsTable& exported);

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_METRICS_TABLE_H_
