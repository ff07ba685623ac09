#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/model/decoder.h"
#include "server/model/linear.h"
#include "server/model/row_kernels.h"

namespace steer {
namespace {

// oneDNN and MKL choose kernels and blocking by the exact processor, which no capability flag tells
// in full.
std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (absl::StartsWith(line, "model name")) {
      return std::string(absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)));
    }
  }
  return "unknown";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> NumericFacts(const DecoderOptions& options) {
  const at::ScalarType type = options.dtype == "bfloat16" ? at::kBFloat16 : at::kFloat;
  const bool cpu = options.device == "cpu";
  const at::Device device = cpu ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
  return {
      {"libtorch", TORCH_VERSION},
      {"cpu_capability", at::get_cpu_capability()},
      {"processor", ProcessorName()},
      {"threads", absl::StrCat(at::get_num_threads())},
      {"device", options.device},
      {"dtype", options.dtype},
      {"linear", LinearKernelName(type, device)},
      {"attention", cpu ? "steer-row-1" : "libtorch-token-1"},
      {"row_kernels", cpu ? RowKernelVariant() : "none"},
  };
}

}  // namespace steer
