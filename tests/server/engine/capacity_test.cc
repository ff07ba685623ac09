// deploy/capacity.md is what the arithmetic says. To write it anew:
//   STEER_WRITE_CAPACITY=1 build/release/tests/server/engine/engine_parts_test --gtest_filter='Capacity.*'
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "server/engine/memory_plan.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

struct Published {
  const char* name;
  int64_t hidden, layers, heads, kv_heads, head_dim, intermediate, vocabulary;
  bool qkv_bias, qk_norm, post_norms;
  int64_t parameters;  // as the checkpoint's files hold them
};

// From the makers' config.json; every one of them ties its head to its embedding.
constexpr Published kModels[] = {
    {"SmolLM2-135M", 576, 30, 9, 3, 64, 1536, 49152, false, false, false, 134515008},
    {"SmolLM2-360M", 960, 32, 15, 5, 64, 2560, 49152, false, false, false, 361821120},
    {"SmolLM2-1.7B", 2048, 24, 32, 32, 64, 8192, 49152, false, false, false, 1711376384},
    {"Qwen2.5-0.5B", 896, 24, 14, 2, 64, 4864, 151936, true, false, false, 494032768},
    {"Qwen2.5-1.5B", 1536, 28, 12, 2, 128, 8960, 151936, true, false, false, 1543714304},
    {"Qwen2.5-3B", 2048, 36, 16, 2, 128, 11008, 151936, true, false, false, 3085938688},
    {"Qwen3-0.6B", 1024, 28, 16, 8, 128, 3072, 151936, false, true, false, 596049920},
    {"Qwen3-1.7B", 2048, 28, 16, 8, 128, 6144, 151936, false, true, false, 1720574976},
    {"Llama 3.2 1B", 2048, 16, 32, 8, 64, 8192, 128256, false, false, false, 1235814400},
    {"Llama 3.2 3B", 3072, 28, 24, 8, 128, 8192, 128256, false, false, false, 3212749824},
    {"Gemma 3 270M", 640, 18, 4, 1, 256, 2048, 262144, false, true, true, 268098176},
    {"Gemma 3 1B", 1152, 26, 4, 1, 256, 6912, 262144, false, true, true, 999885952},
};

ModelConfig ConfigOf(const Published& p) {
  ModelConfig c;
  c.hidden = p.hidden;
  c.layers = p.layers;
  c.heads = p.heads;
  c.kv_heads = p.kv_heads;
  c.head_dim = p.head_dim;
  c.intermediate = p.intermediate;
  c.vocabulary = p.vocabulary;
  c.qkv_bias = p.qkv_bias;
  c.qk_norm = p.qk_norm;
  c.post_norms = p.post_norms;
  c.tied_head = true;
  return c;
}

TEST(Capacity, ParametersAreThoseOfThePublishedCheckpoints) {
  for (const Published& p : kModels)
    EXPECT_EQ(CountParameters(ConfigOf(p)), p.parameters) << p.name;
}

std::string Table() {
  constexpr int64_t kLimit = (int64_t{15} << 30) / 2;
  const MemoryShape shape{.element_bytes = 2,
                          .kv_tokens = 32768,
                          .decode_rows = 32,
                          .prefill_tokens = 256,
                          .max_context_tokens = 1024,
                          .cuda = true};
  std::string text = absl::StrCat(
      "# What fits an 8 GB card\n\n"
      "bfloat16, steerd's default shapes (`--decode-rows 32 --prefill-tokens 256 "
      "--max-context-tokens 1024`, 32,768 tokens of KV arena). The limit is ",
      ShowBytes(kLimit),
      ", what an 8 GiB card has free beside a driver; another one is set by `--memory-limit`. Work "
      "space is an upper estimate and counts CUDA's context and libraries. steerd does the same "
      "sum "
      "before it reads a weight, and refuses what does not fit with the numbers and the flags to "
      "lower.\n\n"
      "| model | parameters | weights | KV a token | KV arena | work space | sum | largest "
      "`--kv-tokens` |\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const Published& p : kModels) {
    const ModelConfig config = ConfigOf(p);
    const MemoryPlan plan = PlanMemory(config, shape);
    absl::StrAppend(&text, "| ", p.name, " | ", p.parameters, " | ", ShowBytes(plan.weights), " | ",
                    plan.kv_bytes_per_token, " B | ", ShowBytes(plan.kv_arena), " | ",
                    ShowBytes(plan.work), " | ", ShowBytes(plan.total()), " | ",
                    LargestArena(config, shape, kLimit), " |\n");
  }
  return absl::StrCat(
      text,
      "\nWhere the sum exceeds the limit the model still runs, with a smaller arena, down to one "
      "row "
      "of the longest context: steerd chooses one that fits unless `--kv-tokens` is given (0: not "
      "at all). The table is made by a test, which also fails where it is no longer true:\n\n"
      "    STEER_WRITE_CAPACITY=1 build/release/tests/server/engine/engine_parts_test "
      "--gtest_filter='Capacity.*'\n");
}

TEST(Capacity, TheTableInDeployIsTrue) {
  const std::string path = SourcePath("deploy/capacity.md");
  if (std::getenv("STEER_WRITE_CAPACITY") != nullptr) {
    ASSERT_TRUE(WriteFileAtomically(path, Table()).ok());
  }
  auto text = ReadFile(path);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, Table());
}

}  // namespace
}  // namespace steer
