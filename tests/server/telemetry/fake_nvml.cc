// A library with NVML's names and shapes, for gpu_metrics_test.cc. STEER_FAKE_NVML names functions
// that fail, separated by commas. With STEER_FAKE_NVML_OLD it has what every NVML has and no more.
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

int card;
int open_sessions = 0;

int Result(const char* function) {
  const char* failing = std::getenv("STEER_FAKE_NVML");
  const std::string list = failing == nullptr ? "" : "," + std::string(failing) + ",";
  return list.find("," + std::string(function) + ",") == std::string::npos ? 0 : 999;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  if (Result("init") != 0) return 9;  // NVML_ERROR_DRIVER_NOT_LOADED
  ++open_sessions;
  return 0;
}
int nvmlShutdown() {
  --open_sessions;
  return 0;
}
int SteerFakeNvmlSessions() { return open_sessions; }

int nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, void** device) {
  *device = &card;
  return std::strcmp(bus_id, "0000:01:00.0") == 0 ? 0 : 6;  // NVML_ERROR_NOT_FOUND
}
#ifndef STEER_FAKE_NVML_OLD
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  total_free_used[0] = 8ull << 30;
  total_free_used[1] = 3ull << 30;
  total_free_used[2] = 5ull << 30;
  return device == &card ? Result("memory") : 2;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned int* gpu_and_memory) {
  gpu_and_memory[0] = 75;
  gpu_and_memory[1] = 10;
  return Result("utilization");
}
int nvmlDeviceGetTemperature(void*, int sensor, unsigned int* celsius) {
  *celsius = 61;
  return sensor == 0 ? Result("temperature") : 2;
}
int nvmlDeviceGetPowerUsage(void*, unsigned int* milliwatts) {
  *milliwatts = 143500;
  return Result("power");
}
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* millijoules) {
  *millijoules = 7654321;
  return Result("energy");
}
#endif

}  // extern "C"
