// The CPU kernels against their libtorch twins over a grid of odd and even shapes.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "server/model/ops.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

class KernelsTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  at::Tensor Random(at::IntArrayRef shape) { return at::randn(shape, at::kFloat).to(GetParam()); }
  // Both twins round to the model's type at the end, so they may differ by one unit in its last
  // place.
  void ExpectClose(const at::Tensor& a, const at::Tensor& b, const std::string& what) {
    const double unit = GetParam() == at::kFloat ? 3e-6 : 1.0 / 64;
    EXPECT_LE(MaxAbs(a.to(at::kDouble) - b.to(at::kDouble)), unit * std::max(1.0, MaxAbs(b)))
        << what;
  }
  c10::InferenceMode inference_;
};
INSTANTIATE_TEST_SUITE_P(Types, KernelsTest, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(KernelsTest, NormGateAndSoftcapAgree) {
  for (int64_t n : {1, 2, 15, 16, 17, 48, 80, 576, 1001}) {
    const at::Tensor x = Random({5, n}) * 3.0;
    for (bool round_first : {true, false}) {
      const Norm norm{at::randn({n}, at::kFloat), 1e-5, round_first};
      ExpectClose(cpu::RmsNorm(x, norm), torch_ops::RmsNorm(x, norm), "norm");
    }
    const at::Tensor pair = Random({5, 2 * n}) * 4.0;
    for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
      ExpectClose(cpu::Gate(pair, activation), torch_ops::Gate(pair, activation), "gate");
    }
    at::Tensor a = at::randn({5, n}, at::kFloat) * 30.0, b = a.clone();
    cpu::Softcap(a, 20);
    torch_ops::Softcap(b, 20);
    ExpectClose(a, b, "softcap");
  }
}

TEST_P(KernelsTest, ExtremeActivations) {
  at::Tensor pair = at::zeros({1, 20}, at::kFloat);
  const float gates[] = {-200, -100, -88, -20, 0, 20, 88, 100, 200, 1e30f};
  for (int i = 0; i < 10; ++i) {
    pair[0][i] = gates[i];
    pair[0][10 + i] = 1;
  }
  pair = pair.to(GetParam());
  for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    const at::Tensor out = cpu::Gate(pair, activation);
    EXPECT_TRUE(out.isfinite().all().item<bool>());
    ExpectClose(out.narrow(1, 0, 9), torch_ops::Gate(pair, activation).narrow(1, 0, 9), "gate");
  }
}

// A damaged number must show at the end and not be clamped away.
TEST_P(KernelsTest, NotANumberStaysOne) {
  for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    at::Tensor pair = at::zeros({1, 40}, at::kFloat);
    pair[0][3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(cpu::Gate(pair.to(GetParam()), activation)[0][3].isnan().item<bool>());
  }
  at::Tensor x = at::zeros({1, 40}, at::kFloat);
  x[0][39] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(
      cpu::RmsNorm(x.to(GetParam()), {at::randn({40}, at::kFloat)}).isnan().all().item<bool>());
}

struct AttentionCase {
  int64_t heads, kv_heads, head_dim, window;
  float softcap;
};
constexpr AttentionCase kAttention[] = {{4, 4, 2, 0, 0},   {6, 2, 8, 0, 0},  {9, 3, 64, 0, 0},
                                        {4, 1, 10, 3, 0},  {8, 2, 16, 5, 4}, {6, 2, 128, 16, 0},
                                        {2, 1, 256, 0, 9}, {3, 3, 36, 1, 0}};

// Three rows, the first of which has context in the arena already, with padding between.
StepLayout Layout(at::Device device) {
  StepLayout layout;
  layout.tokens = 40;
  const auto add = [&layout](int64_t token, int64_t position, int64_t kv_begin, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      layout.places.push_back({token + i, position + i, kv_begin});
  };
  add(1, 20, 7, 6);
  add(9, 0, 60, 21);
  add(33, 0, 100, 1);
  std::vector<std::vector<int64_t>> columns(3);
  for (const TokenPlace& place : layout.places) {
    columns[0].push_back(place.token);
    columns[1].push_back(place.position);
    columns[2].push_back(place.slot());
  }
  at::Tensor* const targets[] = {&layout.token_index, &layout.position_index, &layout.slot_index};
  for (size_t i = 0; i < 3; ++i) {
    *targets[i] = at::empty({static_cast<int64_t>(columns[i].size())}, at::kLong);
    std::copy(columns[i].begin(), columns[i].end(), targets[i]->data_ptr<int64_t>());
    *targets[i] = targets[i]->to(device);
  }
  return layout;
}

TEST_P(KernelsTest, AttentionTwinsAgree) {
  const StepLayout layout = Layout(at::kCPU);
  for (const AttentionCase& c : kAttention) {
    AttentionShape shape;
    shape.heads = c.heads;
    shape.kv_heads = c.kv_heads;
    shape.head_dim = c.head_dim;
    shape.window = c.window;
    shape.scale = 0.7f;
    shape.softcap = c.softcap;
    const at::Tensor keys = Random({128, c.kv_heads, c.head_dim}), values = Random(keys.sizes());
    const at::Tensor qkv = Random({layout.tokens, (c.heads + 2 * c.kv_heads) * c.head_dim});
    const at::Tensor ours = AttentionCpu(qkv, keys, values, layout, shape);
    ExpectClose(ours, AttentionTorch(qkv, keys, values, layout, shape), "attention");
    EXPECT_EQ(MaxAbs(ours.narrow(0, 30, 3)), 0) << "padding";
    EXPECT_GT(MaxAbs(ours[9]), 0);
  }
}

TEST_P(KernelsTest, AttentionKeepsNotANumber) {
  StepLayout layout;
  layout.tokens = 1;
  layout.places = {{0, 19, 0}};
  for (int64_t damaged : {0, 5, 19}) {
    at::Tensor keys = Random({20, 1, 8}), values = Random({20, 1, 8});
    keys[damaged].fill_(std::numeric_limits<double>::quiet_NaN());
    const at::Tensor out = AttentionCpu(Random({1, 24}), keys, values, layout, {1, 1, 8, 0, 1, 0});
    EXPECT_TRUE(out.isnan().all().item<bool>());
  }
}

TEST_P(KernelsTest, RotationTwinsAgree) {
  const StepLayout layout = Layout(at::kCPU);
  for (const AttentionCase& c : kAttention) {
    AttentionShape shape;
    shape.heads = c.heads;
    shape.kv_heads = c.kv_heads;
    shape.head_dim = c.head_dim;
    const RopeTable rope = MakeRopeTable({}, c.head_dim, 64, at::kCPU);
    for (bool norms : {false, true}) {
      QueryKeyNorms pair;
      if (norms)
        pair = {{at::randn({c.head_dim}, at::kFloat)}, {at::randn({c.head_dim}, at::kFloat)}};
      at::Tensor a = Random({layout.tokens, (c.heads + 2 * c.kv_heads) * c.head_dim}),
                 b = a.clone();
      const auto zeros = [&] { return at::zeros({128, c.kv_heads, c.head_dim}, a.options()); };
      at::Tensor ka = zeros(), va = zeros(), kb = zeros(), vb = zeros();
      cpu::RotateAndStore(a, pair, rope, layout, shape, ka, va);
      torch_ops::RotateAndStore(b, pair, rope, layout, shape, kb, vb);
      const int64_t queries = c.heads * c.head_dim;
      ExpectClose(a.narrow(1, 0, queries), b.narrow(1, 0, queries), "queries");
      ExpectClose(ka, kb, "keys");
      EXPECT_TRUE(va.equal(vb));
      EXPECT_GT(MaxAbs(vb), 0);
    }
  }
}

}  // namespace
}  // namespace steer
