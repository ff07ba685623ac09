// Whether the models that fit an 8 GB card are said to fit, and what is said of those that do not.
#include "server/engine/memory_plan.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "common/errors.h"

namespace steer {
namespace {

using testing::HasSubstr;

constexpr int64_t kGiB = int64_t{1} << 30;

ModelConfig Qwen25(int64_t hidden, int64_t layers, int64_t heads, int64_t kv_heads,
                   int64_t intermediate) {
  ModelConfig c;
  c.hidden = hidden;
  c.layers = layers;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = hidden / heads;
  c.intermediate = intermediate;
  c.vocabulary = 151936;
  c.qkv_bias = c.tied_head = true;
  return c;
}
const ModelConfig kSmall = Qwen25(896, 24, 14, 2, 4864);
const ModelConfig kLarge = Qwen25(2048, 36, 16, 2, 11008);

MemoryShape Shape(int64_t element_bytes = 2) {
  return {.element_bytes = element_bytes,
          .kv_tokens = 32768,
          .decode_rows = 32,
          .prefill_tokens = 256,
          .max_context_tokens = 1024,
          .cuda = true};
}

TEST(MemoryPlan, CountsTheParametersThatTheMakersState) {
  EXPECT_EQ(CountParameters(kSmall), 494032768);
  EXPECT_EQ(CountParameters(Qwen25(1536, 28, 12, 2, 8960)), 1543714304);
  EXPECT_EQ(CountParameters(kLarge), 3085938688);
  ModelConfig llama = kSmall;  // Llama 3.2 1B
  llama.hidden = 2048, llama.layers = 16, llama.heads = 32, llama.kv_heads = 8;
  llama.head_dim = 64, llama.intermediate = 8192, llama.vocabulary = 128256;
  llama.qkv_bias = false;
  EXPECT_EQ(CountParameters(llama), 1235814400);
  ModelConfig gemma;  // Gemma 3 270M
  gemma.hidden = 640, gemma.layers = 18, gemma.heads = 4, gemma.kv_heads = 1;
  gemma.head_dim = 256, gemma.intermediate = 2048, gemma.vocabulary = 262144;
  gemma.post_norms = gemma.qk_norm = gemma.tied_head = true;
  EXPECT_EQ(CountParameters(gemma), 268098176);
}

TEST(MemoryPlan, CountsBiases) {
  ModelConfig biased = kSmall;
  biased.output_bias = biased.mlp_bias = true;
  EXPECT_EQ(CountParameters(biased), CountParameters(kSmall) + 24 * (896 + 2 * 4864 + 896));
}

TEST(MemoryPlan, TheArenaIsKeysAndValuesOfEveryLayer) {
  const MemoryPlan plan = PlanMemory(kSmall, Shape());
  EXPECT_EQ(plan.kv_bytes_per_token, 24 * 2 * 2 * 64 * 2);
  EXPECT_EQ(plan.kv_arena, plan.kv_bytes_per_token * 32768);
  EXPECT_EQ(plan.weights, 494032768 * 2);
  EXPECT_EQ(plan.total(), plan.weights + plan.kv_arena + plan.work);
}

TEST(MemoryPlan, ThreeBillionParametersFitEightGibInBfloat16Only) {
  EXPECT_TRUE(CheckFits(kLarge, Shape(), 8 * kGiB, "the card").ok());
  const absl::Status status = CheckFits(kLarge, Shape(4), 8 * kGiB, "the card");
  EXPECT_EQ(ReasonOf(status), "DOES_NOT_FIT");
  const std::string said(status.message());
  for (const char* part : {"weights 11.50 GiB", "3085938688 parameters of 4 bytes", "KV arena",
                           "work space", "the card is 8.00 GiB", "--dtype bfloat16"}) {
    EXPECT_THAT(said, HasSubstr(part));
  }
}

TEST(MemoryPlan, AnArenaThatIsTooLargeIsToldTheLargestThatFits) {
  MemoryShape shape = Shape();
  shape.kv_tokens = 10 << 20;
  const int64_t largest = LargestArena(kSmall, shape, 8 * kGiB);
  ASSERT_GT(largest, 1024);
  EXPECT_THAT(std::string(CheckFits(kSmall, shape, 8 * kGiB, "--memory-limit").message()),
              HasSubstr(absl::StrCat("--kv-tokens ", largest, " fits")));
  shape.kv_tokens = largest;
  EXPECT_TRUE(CheckFits(kSmall, shape, 8 * kGiB, "x").ok());
  shape.kv_tokens = largest + 1;
  EXPECT_FALSE(CheckFits(kSmall, shape, 8 * kGiB, "x").ok());
  EXPECT_EQ(LargestArena(kSmall, shape, kGiB), 0);
}

TEST(MemoryPlan, WhatNoArenaHelpsIsToldWhatWould) {
  const MemoryPlan plan = PlanMemory(kSmall, Shape());
  const auto said = [&](int64_t limit, int64_t element_bytes) {
    return std::string(CheckFits(kSmall, Shape(element_bytes), limit, "the card").message());
  };
  EXPECT_THAT(said(plan.weights, 2), testing::EndsWith("do not: use a smaller model"));
  EXPECT_THAT(said(plan.weights, 4), testing::EndsWith("smaller model or --dtype bfloat16"));
  // Room for some tokens, and for fewer than one row may have.
  const int64_t rest = plan.weights + plan.work;
  EXPECT_EQ(LargestArena(kSmall, Shape(), rest + 1023 * plan.kv_bytes_per_token), 0);
  EXPECT_EQ(LargestArena(kSmall, Shape(), rest + 1024 * plan.kv_bytes_per_token), 1024);
  EXPECT_THAT(said(rest + 1023 * plan.kv_bytes_per_token, 2),
              testing::EndsWith("--decode-rows, or use a smaller model"));
  const MemoryPlan wide = PlanMemory(kSmall, Shape(4));
  EXPECT_THAT(said(wide.weights + wide.work, 4),
              testing::EndsWith("or use --dtype bfloat16, or use a smaller model"));
}

TEST(MemoryPlan, LimitsAreBytesUnitsOrAShare) {
  EXPECT_EQ(*ParseMemoryLimit("6000000000", 1), 6000000000);
  EXPECT_EQ(*ParseMemoryLimit("6GiB", 1), 6 * kGiB);
  EXPECT_EQ(*ParseMemoryLimit("512MiB", 1), 512 << 20);
  EXPECT_EQ(*ParseMemoryLimit("80%", 1000), 800);
  for (const char* bad : {"", "0", "-1", "0%", "101%", "x", "5GB", "nan", "nan%", "x%", "1e30"}) {
    EXPECT_FALSE(ParseMemoryLimit(bad, 1000).ok()) << bad;
  }
}

TEST(MemoryPlan, TheSmallestControlGroupOrTheMachineIsTheHostsLimit) {
  std::string pattern = (std::filesystem::temp_directory_path() / "steer_mem_XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const auto write = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(pattern + name).parent_path());
    std::ofstream(pattern + name) << text;
  };
  EXPECT_EQ(HostMemoryLimit(pattern), 0);
  write("/proc/meminfo", "MemTotal:        4000000 kB\nMemFree:  1 kB\n");
  EXPECT_EQ(HostMemoryLimit(pattern), 4096000000);
  write("/proc/self/cgroup", "0::/a/b\n");
  write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  write("/sys/fs/cgroup/a/memory.max", "2000000000\n");
  EXPECT_EQ(HostMemoryLimit(pattern), 2000000000);
  write("/sys/fs/cgroup/memory.max", "1000000000\n");  // a container's mount is its own group
  EXPECT_EQ(HostMemoryLimit(pattern), 1000000000);
  write("/proc/self/cgroup", "3:memory:/x\n2:cpu:/y\n");
  write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(HostMemoryLimit(pattern), 4096000000);
  write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "500000000\n");
  EXPECT_EQ(HostMemoryLimit(pattern), 500000000);
  write("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "0\n");
  EXPECT_EQ(HostMemoryLimit(pattern), 4096000000);
  write("/proc/meminfo", "MemTotal:  many kB\n");
  EXPECT_EQ(HostMemoryLimit(pattern), 0);
  std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace steer
