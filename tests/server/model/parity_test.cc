// The decoder against transformers, value by value, on tiny random checkpoints (contract 6).
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/max.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

double LogitTolerance(const at::Tensor& expected) { return 1e-4 * std::max(1.0, MaxAbs(expected)); }

class ParityTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, ParityTest, testing::ValuesIn(kTinyModels));

TEST_P(ParityTest, StatesAndLogits) {
  c10::InferenceMode inference;
  const Golden golden(GetParam());
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const std::vector<int32_t> ids = golden.Ids("prompt", prompt);
    const StepRow row{3, 0, 0, static_cast<int32_t>(ids.size())};
    Capture capture;
    const at::Tensor last = decoder->Forward({ids, absl::MakeConstSpan(&row, 1)}, &capture);
    ASSERT_EQ(capture.streams.size(), static_cast<size_t>(decoder->config().sites()));
    const at::Tensor states = golden.Floats("states", prompt);
    for (int64_t layer = 0; layer <= decoder->config().layers; ++layer) {
      EXPECT_LE(WorstRelative(capture.streams[static_cast<size_t>(2 * layer)], states[layer]), 2e-5)
          << "input of block " << layer << ", prompt " << prompt;
    }
    EXPECT_TRUE(last.equal(capture.streams.back()));
    const at::Tensor logits = golden.Floats("logits", prompt);
    EXPECT_LE(MaxAbs(decoder->Logits(last) - logits), LogitTolerance(logits));
  }
}

TEST_P(ParityTest, ChunksAndTokenByToken) {
  c10::InferenceMode inference;
  const Golden golden(GetParam());
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const at::Tensor logits = golden.Floats("logits", prompt);
    for (int32_t piece : {0, 1, 4, 10}) {
      const at::Tensor x = RunRow(*decoder, golden.Ids("prompt", prompt), piece, 40);
      EXPECT_LE(MaxAbs(decoder->Logits(x) - logits), LogitTolerance(logits)) << "piece " << piece;
    }
  }
}

TEST_P(ParityTest, GreedyTokens) {
  c10::InferenceMode inference;
  const Golden golden(GetParam());
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    std::vector<int32_t> ids = golden.Ids("prompt", prompt), greedy;
    at::Tensor x = RunRow(*decoder, ids);
    int32_t context = static_cast<int32_t>(ids.size());
    const std::vector<int32_t> expected = golden.Ids("greedy", prompt);
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

// In bfloat16 two correct programs differ by their roundings, so ours may be as far from the
// float32 truth as transformers' is, and the most likely token must agree where its lead is larger
// than what rounding moves.
TEST_P(ParityTest, BFloat16WithinItsRounding) {
  c10::InferenceMode inference;
  const Golden golden(GetParam());
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam(), "bfloat16");
  int64_t compared = 0;
  double ours = 0, theirs = 0;
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    const at::Tensor exact = golden.Floats("logits", prompt);
    const at::Tensor peer = golden.Floats("bf16", prompt);
    const at::Tensor logits = decoder->Logits(RunRow(*decoder, golden.Ids("prompt", prompt)));
    ours += (logits - exact).square().mean().item<double>();
    theirs += (peer - exact).square().mean().item<double>();
    for (int64_t i = 0; i < exact.size(0); ++i) {
      const at::Tensor top = std::get<0>(at::topk(exact[i], 2));
      const double lead = (top[0] - top[1]).item<double>();
      if (lead <= 3 * MaxAbs(peer[i] - exact[i])) continue;
      ++compared;
      EXPECT_EQ(at::argmax(logits[i]).item<int64_t>(), at::argmax(exact[i]).item<int64_t>());
    }
  }
  EXPECT_LE(ours, 2 * theirs);
  EXPECT_GE(compared, 3);
}

// If a tensor's effect could be lost unnoticed, the tests above would prove little.
TEST_P(ParityTest, EveryTensorMatters) {
  c10::InferenceMode inference;
  const Golden golden(GetParam());
  const at::Tensor logits = golden.Floats("logits", 2);
  const bool unit_offset = absl::StrContains(GetParam(), "gemma");
  EditableCheckpoint checkpoint(GetParam());
  for (const auto& [name, view] : checkpoint.tensors) {
    const bool gain = absl::StrContains(name, "norm");
    const std::string original = checkpoint.bytes[name];
    std::fill_n(checkpoint.Floats(name), view.elements(), gain && !unit_offset ? 1.0f : 0.0f);
    auto written = checkpoint.Write();
    ASSERT_TRUE(written.ok()) << written.status();
    auto decoder = Decoder::Load(**written, {"cpu", "float32", 64});
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    const at::Tensor changed = (*decoder)->Logits(RunRow(**decoder, golden.Ids("prompt", 2)));
    EXPECT_GT(MaxAbs(changed - logits), 10 * LogitTolerance(logits)) << name;
    std::copy(original.begin(), original.end(), checkpoint.bytes[name].begin());
  }
}

}  // namespace
}  // namespace steer
