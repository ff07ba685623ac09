// The decoder against transformers, value by value, on tiny random checkpoints (contract 6).
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/topk.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/server/model/golden.h"

namespace steer {
namespace {

constexpr double kStateTolerance = 2e-5;
constexpr int kLong = 3;  // prompts from here on are long

class ParityTest : public testing::TestWithParam<const char*> {
 protected:
  ParityTest() : golden_(GetParam()), trace_(__FILE__, __LINE__, golden_.Describe()) {}

  // Every state of one prompt that the golden file knows something of.
  void ExpectStates(const std::vector<at::Tensor>& streams, int prompt) {
    const at::Tensor last = golden_.Floats("last", prompt), dots = golden_.Floats("dots", prompt);
    const at::Tensor probe = golden_.Probe();
    for (int64_t layer = 0; layer < last.size(0); ++layer) {
      const at::Tensor& stream = streams[static_cast<size_t>(2 * layer)];
      const at::Tensor row = stream[stream.size(0) - 1];
      EXPECT_LE(WorstRelative(row, last[layer]), kStateTolerance)
          << "last position's input of block " << layer;
      const at::Tensor off = at::amax(at::abs(at::matmul(stream, probe) - dots[layer]), -1);
      EXPECT_LE(MaxAbs(off / at::amax(at::abs(stream), -1)), kStateTolerance)
          << "a projection of some position's input of block " << layer;
      if (!golden_.Has("states", prompt)) continue;
      EXPECT_LE(WorstRelative(stream, golden_.Floats("states", prompt)[layer]), kStateTolerance)
          << "input of block " << layer;
    }
  }
  void ExpectLogits(Decoder& decoder, const at::Tensor& x, int prompt) {
    const at::Tensor expected = golden_.Floats("logits", prompt);
    EXPECT_LE(MaxAbs(decoder.Logits(golden_.AtPositions(x, prompt)) - expected),
              LogitTolerance(expected));
  }

  c10::InferenceMode inference_;
  const Golden golden_;
  const testing::ScopedTrace trace_;
};
INSTANTIATE_TEST_SUITE_P(Models, ParityTest, testing::ValuesIn(kTinyModels));

TEST_P(ParityTest, StatesAndLogits) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam(), "float32", 700);
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    SCOPED_TRACE(testing::Message() << "prompt " << prompt);
    const std::vector<int32_t> ids = golden_.Ids("prompt", prompt);
    const StepRow row{3, 0, 0, static_cast<int32_t>(ids.size())};
    Capture capture;
    const at::Tensor last = decoder->Forward({ids, absl::MakeConstSpan(&row, 1)}, &capture);
    ASSERT_EQ(capture.streams.size(), static_cast<size_t>(decoder->config().sites()));
    EXPECT_TRUE(last.equal(capture.streams.back()));
    ExpectStates(capture.streams, prompt);
    ExpectLogits(*decoder, last, prompt);
  }
}

TEST_P(ParityTest, ChunksAndTokenByToken) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  for (int prompt = 0; prompt < kLong; ++prompt) {
    for (int32_t piece : {0, 1, 4, 10}) {
      SCOPED_TRACE(testing::Message() << "prompt " << prompt << ", piece " << piece);
      ExpectLogits(*decoder, RunRow(*decoder, golden_.Ids("prompt", prompt), piece, 40), prompt);
    }
  }
}

TEST_P(ParityTest, GreedyTokens) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam(), "float32", 700);
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const std::vector<int32_t> ids = golden_.Ids("prompt", prompt);
    const std::vector<int32_t> expected = golden_.Ids("greedy", prompt);
    std::vector<int32_t> greedy;
    at::Tensor x = RunRow(*decoder, ids);
    int32_t context = static_cast<int32_t>(ids.size());
    while (greedy.size() < expected.size()) {
      greedy.push_back(static_cast<int32_t>(
          at::argmax(decoder->Logits(x.narrow(0, x.size(0) - 1, 1))).item<int64_t>()));
      const StepRow row{0, context++, 0, 1};
      x = decoder->Forward({absl::MakeConstSpan(&greedy.back(), 1), absl::MakeConstSpan(&row, 1)},
                           nullptr);
    }
    EXPECT_EQ(greedy, expected) << "prompt " << prompt;
  }
}

// Gemma's scale is rounded to the model's type before the product; a lookup is exact elsewhere.
TEST_P(ParityTest, BFloat16EmbeddingIsTheSameBits) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam(), "bfloat16");
  for (int prompt = 0; golden_.Has("embedded", prompt); ++prompt) {
    const std::vector<int32_t> ids = golden_.Ids("prompt", prompt);
    const StepRow row{0, 0, 0, static_cast<int32_t>(ids.size())};
    Capture capture;
    decoder->Forward({ids, absl::MakeConstSpan(&row, 1)}, &capture);
    EXPECT_TRUE(capture.streams[0].to(at::kFloat).equal(golden_.Floats("embedded", prompt)))
        << "prompt " << prompt;
  }
}

// In bfloat16 two correct programs differ by their roundings, so ours may be as far from the
// float32 truth as transformers' is, and the most likely token must agree where its lead is larger
// than what rounding moves.
TEST_P(ParityTest, BFloat16WithinItsRounding) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam(), "bfloat16", 700);
  int64_t compared = 0;
  double ours = 0, theirs = 0;
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const at::Tensor exact = golden_.Floats("logits", prompt);
    const at::Tensor peer = golden_.Floats("bf16", prompt);
    const at::Tensor logits = decoder->Logits(
        golden_.AtPositions(RunRow(*decoder, golden_.Ids("prompt", prompt)), prompt));
    ours += (logits - exact).square().mean().item<double>();
    theirs += (peer - exact).square().mean().item<double>();
    for (int64_t i = 0; i < exact.size(0); ++i) {
      const at::Tensor top = std::get<0>(at::topk(exact[i], 2));
      const double lead = (top[0] - top[1]).item<double>();
      if (lead <= 3 * MaxAbs(peer[i] - exact[i])) continue;
      ++compared;
      EXPECT_EQ(at::argmax(logits[i]).item<int64_t>(), at::argmax(exact[i]).item<int64_t>())
          << "prompt " << prompt << ", entry " << i;
    }
  }
  EXPECT_LE(ours, 2 * theirs);
  EXPECT_GE(compared, 3);
}

}  // namespace
}  // namespace steer
