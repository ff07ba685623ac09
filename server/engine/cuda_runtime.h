// CUDA by run-time loading: steerd links torch_cpu and c10 only, so one binary starts on any box.
// No torch in this header.
#ifndef STEER_SERVER_ENGINE_CUDA_RUNTIME_H_
#define STEER_SERVER_ENGINE_CUDA_RUNTIME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace steer {

// Loads libtorch_cuda.so (from the folder of libtorch_cpu.so) and then the plugin libsteer_cuda.so,
// and asks it for a device. Must be the first thing that touches torch in the process: libtorch's
// CUDA hooks are looked up once, at first use. Returns the device's description.
// FAILED_PRECONDITION saying what is missing (library, plugin, device) and what to do. `plugin`
// empty: looked for beside the program and in
// ../lib.
absl::StatusOr<std::string> LoadCudaRuntime(const std::string& plugin);

// Bytes of the device's memory once LoadCudaRuntime succeeded; 0 before, or if it does not tell.
int64_t CudaDeviceMemory();

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_CUDA_RUNTIME_H_
