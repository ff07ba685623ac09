#include "server/telemetry/gpu_metrics.h"

#include <dlfcn.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace steer {
namespace {

constexpr int kTemperatureGpu = 0;

absl::Status Unavailable(const std::string& what) {
  return MakeError(absl::StatusCode::kNotFound, "NVML_UNAVAILABLE",
                   absl::StrCat(what, "; metrics of the card are left out"));
}

class Families {
 public:
  void Add(const char* name, const char* help, prometheus::MetricType type, double value,
           const char* kind = nullptr) {
    if (families_.empty() || families_.back().name != name) {
      families_.emplace_back();
      families_.back().name = name;
      families_.back().help = help;
      families_.back().type = type;
    }
    prometheus::ClientMetric metric;
    if (kind != nullptr) metric.label.push_back({"kind", kind});
    (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    families_.back().metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

// The few functions of NVML's C interface that are used; their shapes have not changed since the
// versions that carry these suffixes (https://docs.nvidia.com/deploy/nvml-api). 0 is success.
struct GpuMetrics::Nvml {
  using Device = void*;
  struct MemoryInfo {
    unsigned long long total, free, used;
  };
  struct Utilization {
    unsigned int gpu, memory;  // per cent
  };
  ~Nvml() {
    if (initialised) shutdown();
    if (library != nullptr) dlclose(library);
  }
  // False where the library lacks the function.
  template <typename Function>
  bool Find(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    return *function != nullptr;
  }

  void* library = nullptr;
  bool initialised = false;
  Device device = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*handle)(const char*, Device*) = nullptr;
  int (*memory)(Device, MemoryInfo*) = nullptr;
  int (*utilization)(Device, Utilization*) = nullptr;
  int (*temperature)(Device, int, unsigned int*) = nullptr;
  int (*power)(Device, unsigned int*) = nullptr;         // milliwatts
  int (*energy)(Device, unsigned long long*) = nullptr;  // millijoules since the driver's start
};

absl::StatusOr<std::shared_ptr<GpuMetrics>> GpuMetrics::Open(const std::string& library,
                                                             const std::string& bus_id,
                                                             ReadAllocator read) {
  auto nvml = std::make_unique<Nvml>();
  nvml->library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (nvml->library == nullptr) return Unavailable(absl::StrCat("cannot load NVML: ", dlerror()));
  int found = 0;
  found += nvml->Find("nvmlInit_v2", &nvml->init);
  found += nvml->Find("nvmlShutdown", &nvml->shutdown);
  found += nvml->Find("nvmlDeviceGetHandleByPciBusId_v2", &nvml->handle);
  if (found < 3) {
    return Unavailable(absl::StrCat(library, " is not NVML"));
  }
  if (const int code = nvml->init(); code != 0) {
    return Unavailable(absl::StrCat("NVML does not start (code ", code, ")"));
  }
  nvml->initialised = true;
  if (const int code = nvml->handle(bus_id.c_str(), &nvml->device); code != 0) {
    return Unavailable(absl::StrCat("NVML knows no card at ", bus_id, " (code ", code, ")"));
  }
  nvml->Find("nvmlDeviceGetMemoryInfo", &nvml->memory);
  nvml->Find("nvmlDeviceGetUtilizationRates", &nvml->utilization);
  nvml->Find("nvmlDeviceGetTemperature", &nvml->temperature);
  nvml->Find("nvmlDeviceGetPowerUsage", &nvml->power);
  nvml->Find("nvmlDeviceGetTotalEnergyConsumption", &nvml->energy);
  return std::shared_ptr<GpuMetrics>(new GpuMetrics(std::move(nvml), std::move(read)));
}

GpuMetrics::GpuMetrics(std::unique_ptr<Nvml> nvml, ReadAllocator read)
    : nvml_(std::move(nvml)), read_(std::move(read)) {}

GpuMetrics::~GpuMetrics() = default;

std::vector<prometheus::MetricFamily> GpuMetrics::Collect() const {
  using Type = prometheus::MetricType;
  constexpr char kMemory[] = "steer_gpu_memory_bytes";
  constexpr char kMemoryHelp[] =
      "Memory of the card: in tensors, held by the allocator, and by the driver's count of all "
      "processes.";
  const Nvml::Device device = nvml_->device;
  Families families;
  if (read_) {
    if (const absl::optional<AllocatorBytes> bytes = read_()) {
      families.Add(kMemory, kMemoryHelp, Type::Gauge, static_cast<double>(bytes->allocated),
                   "allocated");
      families.Add(kMemory, kMemoryHelp, Type::Gauge, static_cast<double>(bytes->reserved),
                   "reserved");
    }
  }
  Nvml::MemoryInfo memory = {};
  if (nvml_->memory != nullptr && nvml_->memory(device, &memory) == 0) {
    families.Add(kMemory, kMemoryHelp, Type::Gauge, static_cast<double>(memory.used),
                 "driver_used");
    families.Add(kMemory, kMemoryHelp, Type::Gauge, static_cast<double>(memory.total),
                 "driver_total");
  }
  Nvml::Utilization utilization = {};
  if (nvml_->utilization != nullptr && nvml_->utilization(device, &utilization) == 0) {
    families.Add("steer_gpu_utilization_ratio", "Part of the time in which a kernel ran.",
                 Type::Gauge, utilization.gpu / 100.0);
  }
  unsigned int celsius = 0;
  if (nvml_->temperature != nullptr && nvml_->temperature(device, kTemperatureGpu, &celsius) == 0) {
    families.Add("steer_gpu_temperature_celsius", "Temperature of the card.", Type::Gauge, celsius);
  }
  unsigned int milliwatts = 0;
  if (nvml_->power != nullptr && nvml_->power(device, &milliwatts) == 0) {
    families.Add("steer_gpu_power_watts", "Power that the card draws.", Type::Gauge,
                 milliwatts / 1000.0);
  }
  unsigned long long millijoules = 0;
  if (nvml_->energy != nullptr && nvml_->energy(device, &millijoules) == 0) {
    families.Add("steer_gpu_energy_joules_total", "Energy of the card since its driver started.",
                 Type::Counter, static_cast<double>(millijoules) / 1000.0);
  }
  return families.Take();
}

}  // namespace steer
