// The C interface between steerd and libsteer_cuda.so. Both sides are built from this header.
#ifndef STEER_SERVER_CUDA_PLUGIN_H_
#define STEER_SERVER_CUDA_PLUGIN_H_

#include <cstddef>

inline constexpr char kCudaPluginName[] = "libsteer_cuda.so";
inline constexpr char kCudaDescribeSymbol[] = "SteerCudaDescribe";

// Writes a NUL-terminated description of device 0 into text[size] and returns 0, or what is wrong
// and returns 1. Any thread.
using SteerCudaDescribeFn = int (*)(char* text, size_t size);

inline constexpr char kCudaMemorySymbol[] = "SteerCudaMemory";

// Bytes of device 0 that are free now, before anything of ours is on it; 0 if it does not tell.
using SteerCudaMemoryFn = size_t (*)();

inline constexpr char kCudaBusIdSymbol[] = "SteerCudaBusId";

// Writes the PCI address of device 0, "0000:01:00.0", into text[size] and returns 0; 1 if it does
// not tell. Any thread.
using SteerCudaBusIdFn = int (*)(char* text, size_t size);

#endif  // STEER_SERVER_CUDA_PLUGIN_H_
