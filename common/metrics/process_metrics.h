// process_* of the Prometheus conventions, which prometheus-cpp leaves out. Read from /proc (another
// folder in tests) at each scrape; what cannot be read is absent rather than 0. Thread-safe.
#ifndef STEER_COMMON_METRICS_PROCESS_METRICS_H_
#define STEER_COMMON_METRICS_PROCESS_METRICS_H_

#include <string>
#include <utility>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace steer {

class ProcessMetrics final : public prometheus::Collectable {
 public:
  explicit ProcessMetrics(std::string proc = "/proc") : proc_(std::move(proc)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string proc_;
};

}  // namespace steer

#endif  // STEER_COMMON_METRICS_PROCESS_METRICS_H_
