// steer_gpu_*: one NVIDIA card by NVML, loaded at run time, and what libtorch's allocator holds of
// it. Read at each scrape; what the driver does not tell is absent rather than 0. Thread-safe.
#ifndef STEER_SERVER_TELEMETRY_GPU_METRICS_H_
#define STEER_SERVER_TELEMETRY_GPU_METRICS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "server/engine/cuda_runtime.h"

namespace steer {

class GpuMetrics final : public prometheus::Collectable {
 public:
  using ReadAllocator = std::function<absl::optional<AllocatorBytes>()>;

  // `library`: NVML's name, "libnvidia-ml.so.1". `bus_id`: the card's PCI address as CUDA writes it,
  // "0000:01:00.0", since the two number cards differently. NOT_FOUND (NVML_UNAVAILABLE) saying what
  // is missing. `read` may be empty and is called from any thread.
  static absl::StatusOr<std::shared_ptr<GpuMetrics>> Open(const std::string& library,
                                                          const std::string& bus_id,
                                                          ReadAllocator read);
  ~GpuMetrics() override;
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Nvml;
  GpuMetrics(std::unique_ptr<Nvml> nvml, ReadAllocator read);
  const std::unique_ptr<Nvml> nvml_;
  const ReadAllocator read_;
};

}  // namespace steer

#endif  // STEER_SERVER_TELEMETRY_GPU_METRICS_H_
