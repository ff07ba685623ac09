// The golden prompts together, as the engine runs rows: prompts cut into steps of C tokens that rows
// share, then R rows a step decoding, both padded. Each row must still get transformers' numbers.
#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/types/span.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

constexpr int32_t kPrefillTokens = 64;  // C
constexpr int32_t kDecodeRows = 8;      // R
constexpr int32_t kShare = 20;          // tokens of one row in a step, at most
constexpr int32_t kGreedy = 32;

struct RaggedRow {
  std::vector<int32_t> ids;  // prompt, then what was decoded
  int64_t kv_begin = 0;
  int32_t done = 0;  // tokens whose keys are in the arena
  std::vector<at::Tensor> parts;
};

class RaggedTest : public testing::TestWithParam<const char*> {
 protected:
  RaggedTest()
      : golden_(GetParam()),
        trace_(__FILE__, __LINE__, golden_.Describe()),
        decoder_(LoadTiny(GetParam(), "float32", 1024)) {
    int64_t begin = 5;
    for (int prompt = 0; prompt < kPrompts; ++prompt) {
      rows_.push_back({golden_.Ids("prompt", prompt), begin, 0, {}});
      begin += static_cast<int64_t>(rows_.back().ids.size()) + kGreedy;
    }
  }

  // One step of `size` tokens over some rows' next tokens; returns false if none is left. `tail`
  // gets each row's last state.
  bool Run(int32_t size, int32_t share) {
    std::vector<int32_t> ids(static_cast<size_t>(size), 7);
    std::vector<StepRow> steps;
    std::vector<RaggedRow*> owners;
    int32_t used = 0;
    // From another row each time, so that a long prompt's pieces meet all others.
    std::rotate(order_.begin(), order_.begin() + 1, order_.end());
    for (size_t index : order_) {
      RaggedRow& row = rows_[index];
      const int32_t left = static_cast<int32_t>(row.ids.size()) - row.done;
      const int32_t count = std::min({left, share, size - used});
      if (count <= 0) continue;
      std::copy_n(row.ids.begin() + row.done, count, ids.begin() + used);
      steps.push_back({row.kv_begin, row.done, used, count});
      owners.push_back(&row);
      used += count;
    }
    if (steps.empty()) return false;
    const at::Tensor x = decoder_->Forward({ids, steps}, nullptr);
    for (size_t i = 0; i < steps.size(); ++i) {
      owners[i]->parts.push_back(x.narrow(0, steps[i].first_token, steps[i].tokens));
      owners[i]->done += steps[i].tokens;
    }
    return true;
  }

  c10::InferenceMode inference_;
  const Golden golden_;
  const testing::ScopedTrace trace_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<RaggedRow> rows_;
  std::vector<size_t> order_ = {0, 1, 2, 3, 4};
};
INSTANTIATE_TEST_SUITE_P(Models, RaggedTest, testing::ValuesIn(kTinyModels));

TEST_P(RaggedTest, SharedStepsGiveEachRowItsOwnNumbers) {
  while (Run(kPrefillTokens, kShare)) {
  }
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const at::Tensor x = at::cat(rows_[static_cast<size_t>(prompt)].parts);
    const at::Tensor last = golden_.Floats("last", prompt),
                     logits = golden_.Floats("logits", prompt);
    EXPECT_LE(WorstRelative(x[x.size(0) - 1], last[last.size(0) - 1]), 2e-5) << "prompt " << prompt;
    EXPECT_LE(MaxAbs(decoder_->Logits(golden_.AtPositions(x, prompt)) - logits),
              LogitTolerance(logits))
        << "prompt " << prompt;
  }
  for (int32_t token = 0; token < kGreedy; ++token) {
    std::vector<at::Tensor> states;
    for (const RaggedRow& row : rows_) {
      const at::Tensor& part = row.parts.back();
      states.push_back(part.narrow(0, part.size(0) - 1, 1));
    }
    while (states.size() < static_cast<size_t>(kDecodeRows)) states.push_back(states[0] * 2.0);
    const at::Tensor chosen = at::argmax(decoder_->Logits(at::cat(states)), -1);
    for (size_t i = 0; i < rows_.size(); ++i) {
      rows_[i].ids.push_back(static_cast<int32_t>(chosen[static_cast<int64_t>(i)].item<int64_t>()));
    }
    ASSERT_TRUE(Run(kDecodeRows, 1));
  }
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const std::vector<int32_t>& ids = rows_[static_cast<size_t>(prompt)].ids;
    EXPECT_EQ(std::vector<int32_t>(ids.end() - kGreedy, ids.end()), golden_.Ids("greedy", prompt))
        << "prompt " << prompt;
  }
}

}  // namespace
}  // namespace steer
