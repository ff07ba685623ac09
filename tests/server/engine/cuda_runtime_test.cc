// Against libraries of our own with the interfaces of libtorch_cuda.so and of the plugin: there is no
// card where tests run.
#include "server/engine/cuda_runtime.h"

#include <cstdlib>
#include <filesystem>

#include "common/errors.h"
#include "gmock/gmock.h"

namespace steer {
namespace {

using testing::HasSubstr;

class CudaRuntime : public testing::Test {
 protected:
  CudaRuntime() {
    std::string pattern = testing::TempDir() + "/steer_cuda_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_symlink(STEER_FAKE_CUDA_PLUGIN, folder_ + "/libtorch_cuda.so");
  }
  ~CudaRuntime() override {
    std::filesystem::remove_all(folder_);
    unsetenv("STEER_FAKE_CUDA");
  }
  static void ExpectMissing(const absl::Status& status, const std::vector<std::string>& parts) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ReasonOf(status), "CUDA_UNAVAILABLE");
    for (const std::string& part : parts)
      EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
  std::string folder_;
};

// Also with libtorch's own folder, where there may be a libtorch_cuda.so: the plugin is then missing.
TEST_F(CudaRuntime, ALibraryThatIsMissingIsNamed) {
  EXPECT_EQ(CudaBusId(), "");
  EXPECT_EQ(CudaDeviceMemory(), 0);
  ExpectMissing(
      LoadCudaRuntime("", "/nonexistent").status(),
      {"cannot load libtorch_cuda.so", "/nonexistent/libtorch_cuda.so", "use --device cpu"});
  ExpectMissing(LoadCudaRuntime("/nonexistent/plugin.so").status(), {"--device cuda: cannot load"});
}

TEST_F(CudaRuntime, APluginIsLookedForBesideTheProgram) {
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  const std::string above = std::filesystem::path(program).parent_path().string();
  ExpectMissing(LoadCudaRuntime("", folder_).status(),
                {"cannot load libsteer_cuda.so", program + "/libsteer_cuda.so",
                 above + "/lib/libsteer_cuda.so", program + "/cuda/libsteer_cuda.so",
                 "name it with --cuda-plugin"});
  ExpectMissing(LoadCudaRuntime("/nonexistent/plugin.so", folder_).status(),
                {"/nonexistent/plugin.so"});
}

TEST_F(CudaRuntime, APluginThatIsNoneOrSeesNoDeviceIsRefused) {
  ExpectMissing(LoadCudaRuntime("libm.so.6", folder_).status(),
                {"libm.so.6 is not steer's plugin"});
  setenv("STEER_FAKE_CUDA", "no device", 1);
  ExpectMissing(LoadCudaRuntime(STEER_FAKE_CUDA_PLUGIN, folder_).status(),
                {"no CUDA device is seen", "Use --device cpu, or check the driver"});
}

TEST_F(CudaRuntime, TellsTheDeviceItsMemoryAndItsAddress) {
  const auto device = LoadCudaRuntime(STEER_FAKE_CUDA_PLUGIN, folder_);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(*device, "a card of paper");
  EXPECT_EQ(CudaDeviceMemory(), int64_t{8} << 30);
  EXPECT_EQ(CudaBusId(), "0000:01:00.0");
  setenv("STEER_FAKE_CUDA", "no address", 1);
  EXPECT_EQ(CudaBusId(), "");
}

}  // namespace
}  // namespace steer
