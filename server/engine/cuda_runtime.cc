#include "server/engine/cuda_runtime.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "server/cuda/plugin.h"

// Declared here rather than through a torch header: any exported symbol of libtorch_cpu tells where
// it was loaded from.
namespace at {
int get_num_threads();
}

namespace steer {
namespace {

absl::Status Missing(const std::string& what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "CUDA_UNAVAILABLE", what);
}

std::string TorchFolder() {
  Dl_info info = {};
  dladdr(reinterpret_cast<void*>(&at::get_num_threads), &info);  // a function of libtorch_cpu.so
  const std::string library(absl::NullSafeStringView(info.dli_fname));
  return std::filesystem::path(library).parent_path().string();
}

std::vector<std::string> PluginCandidates(const std::string& plugin) {
  if (!plugin.empty()) return {plugin};
  std::error_code error;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  std::filesystem::path folder = program.parent_path();
  return {(folder / kCudaPluginName).string(),
          (folder / ".." / "lib" / kCudaPluginName).lexically_normal().string(),
          (folder / "cuda" / kCudaPluginName).string()};
}

}  // namespace

absl::StatusOr<std::string> LoadCudaRuntime(const std::string& plugin) {
  return LoadCudaRuntime(plugin, TorchFolder());
}

absl::StatusOr<std::string> LoadCudaRuntime(const std::string& plugin,
                                            const std::string& torch_folder) {
  const std::string library = absl::StrCat(torch_folder, "/libtorch_cuda.so");
  // Never closed: libtorch registers operators from it.
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return Missing(absl::StrCat("--device cuda: cannot load libtorch_cuda.so (", dlerror(),
                                "). Install libtorch with its CUDA libraries "
                                "(deploy/install_dependencies.sh --cuda), or use --device cpu"));
  }
  std::vector<std::string> failures;
  for (const std::string& path : PluginCandidates(plugin)) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (handle == nullptr) {
      failures.push_back(dlerror());
      continue;
    }
    auto describe = reinterpret_cast<SteerCudaDescribeFn>(dlsym(handle, kCudaDescribeSymbol));
    if (describe == nullptr)
      return Missing(absl::StrCat("--device cuda: ", path, " is not steer's plugin"));
    char text[512] = {0};
    if (describe(text, sizeof(text)) != 0)
      return Missing(
          absl::StrCat("--device cuda: ", text, ". Use --device cpu, or check the driver"));
    return std::string(text);
  }
  return Missing(absl::StrCat("--device cuda: cannot load ", kCudaPluginName, " (",
                              absl::StrJoin(failures, "; "),
                              "). It is built where nvcc is found; name it with --cuda-plugin"));
}

int64_t CudaDeviceMemory() {
  // The plugin was loaded RTLD_GLOBAL.
  auto memory = reinterpret_cast<SteerCudaMemoryFn>(dlsym(RTLD_DEFAULT, kCudaMemorySymbol));
  return memory == nullptr ? 0 : static_cast<int64_t>(memory());
}

std::string CudaBusId() {
  auto bus_id = reinterpret_cast<SteerCudaBusIdFn>(dlsym(RTLD_DEFAULT, kCudaBusIdSymbol));
  char text[64] = {0};
  return bus_id != nullptr && bus_id(text, sizeof(text)) == 0 ? text : "";
}

absl::optional<AllocatorBytes> CudaAllocatorBytes() {
  try {
    const auto stats = c10::getDeviceAllocator(c10::DeviceType::CUDA)->getDeviceStats(0);
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return AllocatorBytes{stats.allocated_bytes[kAll].current, stats.reserved_bytes[kAll].current};
  } catch (const std::exception&) {
    return absl::nullopt;
  }
}

}  // namespace steer
