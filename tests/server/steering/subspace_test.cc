#include "server/steering/subspace.h"

#include <gtest/gtest.h>

#include <cmath>

namespace steer {
namespace {

const std::vector<float> kZero = {0, 0, 0}, kX = {2, 0, 0}, kXY = {1, 1, 0};

TEST(Subspace, AZeroVectorHasNoAngle) {
  EXPECT_EQ(Cosine(kZero, kX), 0);
  EXPECT_EQ(Cosine(kX, kZero), 0);
  EXPECT_EQ(ShareInside(kZero, {{1, 0, 0}}), 0);
  EXPECT_NEAR(Cosine(kX, kXY), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(ShareInside(kXY, {{1, 0, 0}}), std::sqrt(0.5), 1e-15);
}

TEST(Subspace, ABasisGrowsByWhatIsNew) {
  Basis basis;
  EXPECT_FALSE(ExtendBasis(kZero, &basis));
  EXPECT_TRUE(ExtendBasis(kX, &basis));
  EXPECT_FALSE(ExtendBasis({-1, 0, 0}, &basis));
  EXPECT_TRUE(ExtendBasis(kXY, &basis));
  ASSERT_EQ(basis.size(), 2u);
  EXPECT_NEAR(std::abs(basis[1][1]), 1, 1e-15);
  EXPECT_NEAR(Dot(basis[0], basis[1]), 0, 1e-15);
}

TEST(Subspace, SpansOfOtherSizesDiffer) {
  const Basis x = {{1, 0, 0}}, y = {{0, 1, 0}}, plane = {{1, 0, 0}, {0, 1, 0}};
  const double r = std::sqrt(0.5);
  EXPECT_FALSE(SameSpan(x, plane, 1e-6));
  EXPECT_FALSE(SameSpan(plane, x, 1e-6));
  EXPECT_FALSE(SameSpan(x, y, 1e-6));
  EXPECT_TRUE(SameSpan(plane, {{r, r, 0}, {r, -r, 0}}, 1e-6));
}

}  // namespace
}  // namespace steer
