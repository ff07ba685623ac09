// process_* of the Prometheus conventions, which prometheus-cpp leaves out. Read from /proc at each
// scrape; what cannot be read is absent rather than 0. Thread-safe.
#ifndef STEER_COMMON_METRICS_PROCESS_METRICS_H_
#define STEER_COMMON_METRICS_PROCESS_METRICS_H_

#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace steer {

class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace steer

#endif  // STEER_COMMON_METRICS_PROCESS_METRICS_H_
