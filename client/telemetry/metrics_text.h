// Gauges in the Prometheus text format, version 0.0.4. A snapshot is built, rendered and thrown
// away; there is no registry to keep in step.
#ifndef STEER_CLIENT_TELEMETRY_METRICS_TEXT_H_
#define STEER_CLIENT_TELEMETRY_METRICS_TEXT_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Not thread-safe. Families appear in the order of their names, samples in the order added.
class MetricsText {
 public:
  // Names the family before its samples. `type` is "gauge" or "counter"; repeating the same
  // declaration is harmless.
  void Declare(absl::string_view name, absl::string_view type, absl::string_view help);
  // A sample of a declared family; one that is not declared or not finite is left out, since a
  // gateway refuses the whole push for it.
  void Add(absl::string_view name, const Labels& labels, double value);
  std::string Render() const;

 private:
  struct Family {
    std::string type;
    std::string help;
    std::string samples;
  };
  std::map<std::string, Family> families_;
};

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_METRICS_TEXT_H_
