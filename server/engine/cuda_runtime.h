// CUDA by run-time loading: steerd links torch_cpu and c10 only, so one binary starts on any box.
// No torch in this header.
#ifndef STEER_SERVER_ENGINE_CUDA_RUNTIME_H_
#define STEER_SERVER_ENGINE_CUDA_RUNTIME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"

namespace steer {

// Loads libtorch_cuda.so (from the folder of libtorch_cpu.so) and then the plugin libsteer_cuda.so,
// and asks it for a device. Must be the first thing that touches torch in the process: libtorch's
// CUDA hooks are looked up once, at first use. Returns the device's description.
// FAILED_PRECONDITION saying what is missing (library, plugin, device) and what to do. `plugin`
// empty: looked for beside the program and in
// ../lib.
absl::StatusOr<std::string> LoadCudaRuntime(const std::string& plugin);
// The same with the libtorch_cuda.so of another folder.
absl::StatusOr<std::string> LoadCudaRuntime(const std::string& plugin,
                                            const std::string& torch_folder);

// Bytes of the device's memory once LoadCudaRuntime succeeded; 0 before, or if it does not tell.
int64_t CudaDeviceMemory();

// PCI address of the device, "0000:01:00.0"; empty before LoadCudaRuntime, or if it does not tell.
std::string CudaBusId();

struct AllocatorBytes {
  int64_t allocated = 0;  // in use by tensors
  int64_t reserved = 0;   // held from the driver
};

// What libtorch's allocator holds of the device; none if there is no such allocator. Any thread: the
// allocator has its own lock.
absl::optional<AllocatorBytes> CudaAllocatorBytes();

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_CUDA_RUNTIME_H_
