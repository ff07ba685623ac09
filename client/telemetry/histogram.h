// Observations by bucket, as the Prometheus text format shows them.
#ifndef STEER_CLIENT_TELEMETRY_HISTOGRAM_H_
#define STEER_CLIENT_TELEMETRY_HISTOGRAM_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace steer {

// Not thread-safe.
class Histogram {
 public:
  Histogram() = default;
  // `bounds`: ascending upper bounds; the one at infinity is added.
  explicit Histogram(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void Observe(double value) {
    // le means "less or equal".
    auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    if (counts_.empty()) counts_.resize(1);
    ++counts_[static_cast<size_t>(at - bounds_.begin())];
    sum_ += value;
  }

  const std::vector<double>& bounds() const { return bounds_; }
  // By bucket, not cumulative; the last is of infinity.
  const std::vector<int64_t>& counts() const { return counts_; }
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<int64_t> counts_;
  double sum_ = 0;
};

}  // namespace steer

#endif  // STEER_CLIENT_TELEMETRY_HISTOGRAM_H_
