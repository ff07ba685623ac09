// Same row, same bits (contract 4): at a fixed step size a row's states and logits do not depend on
// mates, place or how its prompt was cut.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "tests/server/model/golden.h"

namespace steer {
namespace {

constexpr int32_t kStepTokens = 32;  // T
constexpr int64_t kHeadRows = 8;     // R
constexpr int64_t kArena = 640;

// One prompt and where its keys live.
struct Row {
  std::vector<int32_t> ids;
  int64_t kv_begin;
};

// A step under construction: tokens are placed one row after another with padding between.
struct Builder {
  std::vector<int32_t> ids = std::vector<int32_t>(kStepTokens, 0);
  std::vector<StepRow> rows;
  int32_t used = 0;

  // Places tokens [from, to) of a row; returns where.
  int32_t Add(const Row& row, int32_t from, int32_t to) {
    std::copy(row.ids.begin() + from, row.ids.begin() + to, ids.begin() + used);
    rows.push_back({row.kv_begin, from, used, to - from});
    used += to - from;
    return rows.back().first_token;
  }
};

class BitsTest : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  BitsTest()
      : decoder_(LoadTiny(std::get<0>(GetParam()), std::get<1>(GetParam()), kArena)), random_(7) {}

  int32_t Uniform(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random_);
  }
  int32_t RandomId() { return Uniform(0, static_cast<int32_t>(decoder_->config().vocabulary) - 1); }
  Row RandomRow(int32_t length, int64_t kv_begin) {
    Row row{{}, kv_begin};
    for (int32_t i = 0; i < length; ++i) row.ids.push_back(RandomId());
    return row;
  }

  // The state at every site of one token of a step: [sites, hidden].
  at::Tensor Run(const Builder& step, int32_t token) {
    Capture capture;
    decoder_->Forward({step.ids, step.rows}, &capture);
    return at::stack(capture.streams).select(1, token).clone();
  }
  at::Tensor Alone(const Row& row, int32_t from, int32_t to) {
    Builder step;
    const int32_t first = step.Add(row, from, to);
    return Run(step, first + to - from - 1);
  }
  // Among mates of random kind, at a random place, padding tokens random too.
  at::Tensor Mixed(const Row& row, int32_t from, int32_t to) {
    Builder step;
    for (int32_t& id : step.ids) id = RandomId();
    const int32_t free = kStepTokens - (to - from);
    int32_t before = Uniform(0, free), first = -1;
    int64_t kv_begin = 128;
    const auto fill = [&](int32_t until) {
      while (step.used < until) {
        const int32_t length = std::min(Uniform(1, 12), until - step.used);
        if (Uniform(0, 3) == 0) {
          step.used += length;  // padding
        } else {
          // A mate in the middle of its prompt attends to whatever an earlier step left in the
          // arena; its own numbers do not matter here.
          step.Add(RandomRow(length, kv_begin), 0, length);
          kv_begin += 40;
        }
      }
    };
    fill(before);
    first = step.Add(row, from, to);
    fill(kStepTokens);
    std::shuffle(step.rows.begin(), step.rows.end(), random_);
    return Run(step, first + to - from - 1);
  }
  // Logits of `x` [hidden] at a random place among random mates, or alone among zeros.
  at::Tensor Logits(const at::Tensor& x, bool mixed) {
    at::Tensor batch = at::empty({kHeadRows, x.size(0)}, x.options());
    mixed ? batch.normal_(0, 3) : batch.zero_();
    const int64_t place = mixed ? Uniform(0, kHeadRows - 1) : 0;
    batch.select(0, place).copy_(x);
    return decoder_->Logits(batch).select(0, place).clone();
  }

  c10::InferenceMode inference_;
  std::unique_ptr<Decoder> decoder_;
  std::mt19937 random_;
};
INSTANTIATE_TEST_SUITE_P(Models, BitsTest,
                         testing::Combine(testing::Values("llama", "llama_bias", "llama_one",
                                                          "mistral", "qwen2_window", "qwen2_deep",
                                                          "qwen3_window", "gemma3", "gemma3_deep"),
                                          testing::Values("float32", "bfloat16")));

TEST_P(BitsTest, AloneAndInFiftyMixes) {
  for (int32_t length : {1, 7, 19, 32}) {
    const Row row = RandomRow(length, 5);
    const at::Tensor states = Alone(row, 0, length);
    const at::Tensor logits = Logits(states[states.size(0) - 1], false);
    for (int mix = 0; mix < 50; ++mix) {
      const at::Tensor mixed = Mixed(row, 0, length);
      ASSERT_TRUE(mixed.equal(states)) << "mix " << mix << ", length " << length;
      ASSERT_TRUE(Logits(mixed[mixed.size(0) - 1], true).equal(logits)) << "mix " << mix;
    }
  }
}

TEST_P(BitsTest, HoweverThePromptIsCut) {
  const int32_t length = 29;
  const Row row = RandomRow(length, 11);
  const at::Tensor whole = Alone(row, 0, length);
  for (int trial = 0; trial < 50; ++trial) {
    at::Tensor last;
    for (int32_t from = 0; from < length;) {
      const int32_t to = std::min(length, from + Uniform(1, trial % 2 == 0 ? 3 : 28));
      last = Mixed(row, from, to);
      from = to;
    }
    ASSERT_TRUE(last.equal(whole)) << "trial " << trial;
  }
}

TEST_P(BitsTest, WhereverTheKeysLie) {
  const Row row = RandomRow(17, 0);
  const at::Tensor states = Alone(row, 0, 17);
  for (int64_t kv_begin : {1, 3, 100, 600}) {
    EXPECT_TRUE(Alone({row.ids, kv_begin}, 0, 17).equal(states)) << kv_begin;
  }
}

TEST_P(BitsTest, PaddingIsFinite) {
  Builder step;
  const at::Tensor x = decoder_->Forward({step.ids, step.rows}, nullptr);
  EXPECT_TRUE(x.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace steer
