// The promise that the engine's fixed shapes rest on: at one number of rows, a row's product
// depends on the row alone.
#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <tuple>

#include "server/model/linear.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

struct Shape {
  int64_t in, out;
};
constexpr Shape kShapes[] = {{64, 96}, {48, 51},   {61, 77},   {33, 300}, {7, 5},    {100, 1},
                             {1, 10},  {17, 1000}, {576, 960}, {80, 48},  {48, 101}, {192, 64}};

// The kernel that this machine takes, and the one that any may have to.
class LinearTest : public testing::TestWithParam<std::tuple<at::ScalarType, bool>> {
 protected:
  static at::ScalarType Type() { return std::get<0>(GetParam()); }
  static Linear Make(const at::Tensor& weight, const at::Tensor& bias) {
    return std::get<1>(GetParam()) ? Linear::With(LinearKernel::kPanels, weight, bias)
                                   : Linear(weight, bias);
  }
  at::Tensor Random(at::IntArrayRef shape) { return at::randn(shape, at::kFloat).to(Type()); }
  c10::InferenceMode inference_;
};
INSTANTIATE_TEST_SUITE_P(Types, LinearTest,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Bool()));

TEST_P(LinearTest, ARowsBitsDependOnTheRowAlone) {
  for (const Shape& shape : kShapes) {
    for (bool bias : {false, true}) {
      const Linear linear =
          Make(Random({shape.out, shape.in}), bias ? Random({shape.out}) : at::Tensor());
      for (int64_t rows : {8, 16, 32, 64, 128, 256}) {
        const at::Tensor row = Random({shape.in});
        at::Tensor first;
        for (int64_t trial = 0; trial < 6; ++trial) {
          const int64_t place = trial == 5 ? rows - 1 : trial * 37 % rows;
          at::Tensor x = Random({rows, shape.in}) * static_cast<double>(trial);
          x.select(0, place).copy_(row);
          const at::Tensor y = linear(x).select(0, place).clone();
          if (!first.defined()) first = y;
          ASSERT_TRUE(y.equal(first))
              << shape.in << " -> " << shape.out << ", " << rows << " rows, place " << place;
        }
      }
    }
  }
}

class PanelTest : public testing::Test {
  c10::InferenceMode inference_;
};

TEST_P(LinearTest, IsTheProduct) {
  for (const Shape& shape : kShapes) {
    const at::Tensor weight = Random({shape.out, shape.in}), bias = Random({shape.out});
    const at::Tensor x = Random({8, shape.in});
    const at::Tensor exact =
        at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t()) + bias.to(at::kDouble);
    const double tolerance = (Type() == at::kFloat ? 1e-6 : 1e-2) * 10 * std::sqrt(shape.in);
    EXPECT_LE(MaxAbs(Make(weight, bias)(x).to(at::kDouble) - exact), tolerance);
  }
}

// Where no kernel of ours runs, libtorch's does, on the weight itself.
TEST_F(PanelTest, PlainIsLibtorchs) {
  EXPECT_EQ(LinearKernelName(at::kFloat, at::Device(at::kCUDA, 0)), "at::linear");
  EXPECT_EQ(LinearKernelName(at::kDouble, at::Device(at::kCPU)), "at::linear");
  const at::Tensor weight = at::randn({5, 7}, at::kDouble), bias = at::randn({5}, at::kDouble);
  const at::Tensor x = at::randn({3, 7}, at::kDouble);
  const Linear linear = Linear::With(LinearKernel::kPlain, weight, bias);
  EXPECT_FALSE(linear.packed());
  EXPECT_LE(MaxAbs(linear(x) - (at::matmul(x, weight.t()) + bias)), 1e-12);
  EXPECT_TRUE(Linear(weight.to(at::kFloat), at::Tensor()).packed());
}

// What oneDNN's kernels need not keep: other numbers of rows, and several pieces of a sum.
TEST_F(PanelTest, ARowsBitsDependOnNothingElse) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor weight = at::randn({37, 1500}, at::kFloat).to(type);
    const Linear linear = Linear::With(LinearKernel::kPanels, weight, at::Tensor());
    const at::Tensor x = at::randn({61, 1500}, at::kFloat).to(type);
    const at::Tensor y = linear(x);
    for (int64_t rows = 1; rows <= 13; ++rows) {
      for (int64_t begin = 0; begin + rows <= 61; begin += rows) {
        ASSERT_TRUE(linear(x.narrow(0, begin, rows)).equal(y.narrow(0, begin, rows)))
            << rows << " rows from " << begin;
      }
    }
    ASSERT_TRUE(linear(x.t().contiguous().t()).equal(y));
  }
}

TEST_F(PanelTest, BFloat16IsRoundedOnce) {
  const at::Tensor weight = at::randn({33, 700}, at::kFloat).to(at::kBFloat16);
  const at::Tensor bias = at::randn({33}, at::kFloat).to(at::kBFloat16);
  const at::Tensor x = at::randn({9, 700}, at::kFloat).to(at::kBFloat16);
  const auto product = [](const at::Tensor& w, const at::Tensor& b, const at::Tensor& v) {
    return Linear::With(LinearKernel::kPanels, w, b)(v);
  };
  const at::Tensor wide = product(weight.to(at::kFloat), bias.to(at::kFloat), x.to(at::kFloat));
  EXPECT_TRUE(product(weight, bias, x).equal(wide.to(at::kBFloat16)));
}

}  // namespace
}  // namespace steer
