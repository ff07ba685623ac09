#include "server/engine/memory_plan.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/errors.h"

namespace steer {
namespace {

// CUDA's context, cuBLAS's work space and kernels, and what the caching allocator rounds up.
constexpr int64_t kCudaOverhead = int64_t{640} << 20;
// Threads, code, tokenizer, gRPC.
constexpr int64_t kHostOverhead = int64_t{256} << 20;

int64_t QkvWidth(const ModelConfig& c) { return (c.heads + 2 * c.kv_heads) * c.head_dim; }

// Everything that one forward pass of T tokens has alive at its widest, in float32 where an op
// computes in it: the stream twice, q k v, attention's output, and the MLP's gate, up and product.
int64_t StepBytes(const ModelConfig& c, int64_t tokens, const MemoryShape& shape) {
  const int64_t attention = tokens * (2 * QkvWidth(c) + 2 * c.heads * c.head_dim);
  const int64_t mlp = tokens * 4 * c.intermediate;
  const int64_t stream = tokens * 6 * c.hidden;
  // One token's scores, keys and values in float32 at a time.
  const int64_t scores = shape.max_context_tokens * (3 * c.heads + 2 * c.kv_heads * c.head_dim) * 4;
  return (stream + std::max(attention, mlp)) * 4 + scores;
}

int64_t HeadBytes(const ModelConfig& c, const MemoryShape& shape) {
  return shape.decode_rows * c.vocabulary * (4 + shape.element_bytes) * 2;
}

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A control group's number; "max" and v1's huge default are none.
void TakeLimit(const std::string& path, int64_t* least) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(absl::StripSuffix(FileText(path), "\n"), &value)) return;
  if (value <= 0 || value > (int64_t{1} << 50)) return;
  *least = *least == 0 ? value : std::min(*least, value);
}

}  // namespace

int64_t CountParameters(const ModelConfig& c) {
  int64_t layer = c.hidden * QkvWidth(c) + c.heads * c.head_dim * c.hidden +
                  3 * c.hidden * c.intermediate + 2 * c.hidden;
  if (c.post_norms) layer += 2 * c.hidden;
  if (c.qk_norm) layer += 2 * c.head_dim;
  if (c.qkv_bias) layer += QkvWidth(c);
  if (c.output_bias) layer += c.hidden;
  if (c.mlp_bias) layer += 2 * c.intermediate + c.hidden;
  return c.layers * layer + c.hidden + (c.tied_head ? 1 : 2) * c.vocabulary * c.hidden;
}

MemoryPlan PlanMemory(const ModelConfig& config, const MemoryShape& shape) {
  MemoryPlan plan;
  plan.weights = CountParameters(config) * shape.element_bytes;
  plan.kv_bytes_per_token =
      config.layers * 2 * config.kv_heads * config.head_dim * shape.element_bytes;
  plan.kv_arena = plan.kv_bytes_per_token * shape.kv_tokens;
  plan.work = std::max(StepBytes(config, shape.prefill_tokens, shape),
                       StepBytes(config, shape.decode_rows, shape)) +
              HeadBytes(config, shape) + (shape.cuda ? kCudaOverhead : kHostOverhead);
  return plan;
}

int64_t LargestArena(const ModelConfig& config, MemoryShape shape, int64_t limit) {
  shape.kv_tokens = 0;
  const MemoryPlan rest = PlanMemory(config, shape);
  const int64_t tokens = (limit - rest.total()) / rest.kv_bytes_per_token;
  return limit > rest.total() && tokens >= shape.max_context_tokens ? tokens : 0;
}

absl::Status CheckFits(const ModelConfig& config, const MemoryShape& shape, int64_t limit,
                       absl::string_view source) {
  const MemoryPlan plan = PlanMemory(config, shape);
  if (plan.total() <= limit) return absl::OkStatus();
  std::string text = absl::StrCat(
      "the model does not fit: weights ", ShowBytes(plan.weights), " (", CountParameters(config),
      " parameters of ", shape.element_bytes, " bytes) + KV arena ", ShowBytes(plan.kv_arena), " (",
      shape.kv_tokens, " tokens of ", plan.kv_bytes_per_token, " bytes) + work space ",
      ShowBytes(plan.work), " (--prefill-tokens ", shape.prefill_tokens, ", --decode-rows ",
      shape.decode_rows, ") = ", ShowBytes(plan.total()), ", and ", source, " is ",
      ShowBytes(limit), "; ");
  const int64_t arena = LargestArena(config, shape, limit);
  if (arena > 0) {
    absl::StrAppend(&text, "--kv-tokens ", arena, " fits");
  } else if (plan.weights >= limit) {
    absl::StrAppend(&text, "the weights alone do not: use a smaller model",
                    shape.element_bytes > 2 ? " or --dtype bfloat16" : "");
  } else {
    absl::StrAppend(&text, "lower --max-context-tokens, --prefill-tokens and --decode-rows",
                    shape.element_bytes > 2 ? ", or use --dtype bfloat16" : "",
                    ", or use a smaller model");
  }
  return MakeError(absl::StatusCode::kResourceExhausted, "DOES_NOT_FIT", text);
}

absl::StatusOr<int64_t> ParseMemoryLimit(absl::string_view text, int64_t total) {
  const absl::Status bad = MakeError(
      absl::StatusCode::kInvalidArgument, "INVALID_FLAG",
      absl::StrCat("--memory-limit ", text, ": bytes, or a number with MiB, GiB or % (80%)"));
  absl::string_view number = text;
  double value = 0;
  if (absl::ConsumeSuffix(&number, "%")) {
    if (!absl::SimpleAtod(number, &value) || !(value > 0 && value <= 100)) return bad;
    return static_cast<int64_t>(static_cast<double>(total) * value / 100);
  }
  const double unit = absl::ConsumeSuffix(&number, "GiB")   ? 1 << 30
                      : absl::ConsumeSuffix(&number, "MiB") ? 1 << 20
                                                            : 1;
  if (!absl::SimpleAtod(number, &value) || !(value * unit >= 1 && value * unit < 1e18)) return bad;
  return static_cast<int64_t>(value * unit);
}

int64_t HostMemoryLimit(const std::string& root) {
  int64_t least = 0;
  for (absl::string_view line : absl::StrSplit(FileText(root + "/proc/self/cgroup"), '\n')) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const bool v2 = parts[1].empty();
    if (!v2 && parts[1] != "memory") continue;
    const std::string base = root + (v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
    const char* name = v2 ? "/memory.max" : "/memory.limit_in_bytes";
    // Inside a container the path may be the host's while the mount is the group itself.
    for (std::string path = parts[2];;) {
      TakeLimit(absl::StrCat(base, path == "/" ? "" : path, name), &least);
      if (path.empty() || path == "/") break;
      path.resize(path.rfind('/'));
    }
  }
  for (absl::string_view line : absl::StrSplit(FileText(root + "/proc/meminfo"), '\n')) {
    int64_t kib = 0;
    if (!absl::ConsumePrefix(&line, "MemTotal:")) continue;
    absl::ConsumeSuffix(&line, "kB");
    if (!absl::SimpleAtoi(line, &kib)) continue;
    least = least == 0 ? kib * 1024 : std::min(least, kib * 1024);
  }
  return least;
}

std::string ShowBytes(int64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib >= 1024 ? absl::StrFormat("%.2f GiB", mib / 1024) : absl::StrFormat("%.0f MiB", mib);
}

}  // namespace steer
