#include "client/telemetry/metrics_text.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_replace.h"
#include "prometheus/text_serializer.h"

namespace steer {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricType TypeOf(absl::string_view name) {
  if (name == "counter") return MetricType::Counter;
  return name == "histogram" ? MetricType::Histogram : MetricType::Gauge;
}

ClientMetric WithLabels(const Labels& labels) {
  ClientMetric metric;
  metric.label.reserve(labels.size());
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

}  // namespace

void MetricsText::Declare(absl::string_view name, absl::string_view type, absl::string_view help) {
  MetricFamily& family = families_[std::string(name)];
  family.name = std::string(name);
  family.type = TypeOf(type);
  // The serialiser writes help as it is.
  family.help = absl::StrReplaceAll(help, {{"\\", "\\\\"}, {"\n", "\\n"}});
}

void MetricsText::Add(absl::string_view name, const Labels& labels, double value) {
  auto it = families_.find(name);
  if (it == families_.end() || !std::isfinite(value)) return;
  ClientMetric metric = WithLabels(labels);
  if (it->second.type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  it->second.metric.push_back(std::move(metric));
  ++series_;
}

void MetricsText::Add(absl::string_view name, const Labels& labels, const Histogram& histogram) {
  auto it = families_.find(name);
  if (it == families_.end() || !std::isfinite(histogram.sum())) return;
  ClientMetric metric = WithLabels(labels);
  metric.histogram.sample_sum = histogram.sum();
  for (size_t i = 0; i < histogram.counts().size(); ++i) {
    metric.histogram.sample_count += static_cast<uint64_t>(histogram.counts()[i]);
    metric.histogram.bucket.push_back(
        {metric.histogram.sample_count, i < histogram.bounds().size()
                                            ? histogram.bounds()[i]
                                            : std::numeric_limits<double>::infinity()});
  }
  series_ += static_cast<int64_t>(metric.histogram.bucket.size()) + 2;
  it->second.metric.push_back(std::move(metric));
}

std::string MetricsText::Render() const {
  return prometheus::TextSerializer().Serialize(Families());
}

std::vector<MetricFamily> MetricsText::Families() const {
  std::vector<MetricFamily> out;
  for (const auto& [name, family] : families_) {
    if (!family.metric.empty()) out.push_back(family);
  }
  return out;
}

}  // namespace steer
