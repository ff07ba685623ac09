// The promise that the engine's fixed shapes rest on: at one number of rows, a row's product
// depends on the row alone.
#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "server/model/linear.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

struct Shape {
  int64_t in, out;
};
constexpr Shape kShapes[] = {{64, 96}, {48, 51},   {61, 77},   {33, 300}, {7, 5},    {100, 1},
                             {1, 10},  {17, 1000}, {576, 960}, {80, 48},  {48, 101}, {192, 64}};

class LinearTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  at::Tensor Random(at::IntArrayRef shape) { return at::randn(shape, at::kFloat).to(GetParam()); }
  c10::InferenceMode inference_;
};
INSTANTIATE_TEST_SUITE_P(Types, LinearTest, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(LinearTest, ARowsBitsDependOnTheRowAlone) {
  for (const Shape& shape : kShapes) {
    for (bool bias : {false, true}) {
      const Linear linear(Random({shape.out, shape.in}), bias ? Random({shape.out}) : at::Tensor());
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

TEST_P(LinearTest, IsTheProduct) {
  for (const Shape& shape : kShapes) {
    const at::Tensor weight = Random({shape.out, shape.in}), bias = Random({shape.out});
    const at::Tensor x = Random({8, shape.in});
    const at::Tensor exact =
        at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t()) + bias.to(at::kDouble);
    const double tolerance = (GetParam() == at::kFloat ? 1e-6 : 1e-2) * 10 * std::sqrt(shape.in);
    EXPECT_LE(MaxAbs(Linear(weight, bias)(x).to(at::kDouble) - exact), tolerance);
  }
}

}  // namespace
}  // namespace steer
