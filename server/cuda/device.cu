// Device discovery. It launches a kernel before it says yes: a device that is seen but cannot run this build's code (an older architecture, a
// driver that is too old) must be refused at start, not at the first request.
#include <cuda_runtime.h>

#include <cstdio>

#include "server/cuda/plugin.h"

namespace {

__global__ void WriteProbe(int* out) { *out = 42; }

cudaError_t RunProbe() {
  int* device_value = nullptr;
  int value = 0;
  cudaError_t error = cudaMalloc(&device_value, sizeof(int));
  if (error != cudaSuccess) return error;
  WriteProbe<<<1, 1>>>(device_value);
  error = cudaGetLastError();
  if (error == cudaSuccess) error = cudaMemcpy(&value, device_value, sizeof(int), cudaMemcpyDeviceToHost);
  cudaFree(device_value);
  return error != cudaSuccess ? error : value == 42 ? cudaSuccess : cudaErrorUnknown;
}

}  // namespace

extern "C" int SteerCudaDescribe(char* text, size_t size) {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (driver < 13000) {
    snprintf(text, size,
             "the NVIDIA driver is missing or too old: it speaks CUDA %d.%d and this build needs 13.0, that is driver 580 or newer", driver / 1000,
             driver % 1000 / 10);
    return 1;
  }
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    snprintf(text, size, "no CUDA device is seen (%s)", error == cudaSuccess ? "0 devices" : cudaGetErrorString(error));
    return 1;
  }
  cudaDeviceProp properties;
  error = cudaGetDeviceProperties(&properties, 0);
  if (error == cudaSuccess && properties.major * 10 + properties.minor < 75) {
    snprintf(text, size, "%s has compute capability %d.%d and this build needs 7.5 (Turing) or newer", properties.name, properties.major,
             properties.minor);
    return 1;
  }
  if (error == cudaSuccess) error = RunProbe();
  if (error != cudaSuccess) {
    snprintf(text, size, "device 0 cannot run this build (%s)", cudaGetErrorString(error));
    return 1;
  }
  snprintf(text, size, "%s, compute capability %d.%d, %zu MiB, driver for CUDA %d.%d", properties.name, properties.major, properties.minor,
           properties.totalGlobalMem >> 20, driver / 1000, driver % 1000 / 10);
  return 0;
}

extern "C" size_t SteerCudaMemory() {
  size_t free = 0;
  size_t total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
}

extern "C" int SteerCudaBusId(char* text, size_t size) { return cudaDeviceGetPCIBusId(text, static_cast<int>(size), 0) == cudaSuccess ? 0 : 1; }
