#include "server/steering/control.h"

#include <gmock/gmock.h>

#include "common/errors.h"
#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

double NormOf(const std::vector<float>& values) { return Resolved(values).norm; }

// A published control is three numbers; these values may never change.
TEST(Control, ValuesArePinned) {
  const std::vector<float> draw = IsotropicDraw(4, 2.0, 7, 1);
  ASSERT_EQ(draw.size(), 4u);
  const std::vector<float> wanted = {0.0929652685f, 0.594080795f, -1.09177544f, 1.56411376f};
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(draw[i], wanted[i]) << i;
}

TEST(Control, DrawsAreNormMatchedDistinctAndIsotropic) {
  const int64_t hidden = 1536;
  std::vector<std::vector<float>> draws;
  for (uint32_t draw = 0; draw < 20; ++draw) draws.push_back(IsotropicDraw(hidden, 12.5, 42, draw));
  draws.push_back(IsotropicDraw(hidden, 12.5, 43, 0));
  for (size_t i = 0; i < draws.size(); ++i) {
    EXPECT_NEAR(NormOf(draws[i]), 12.5, 1e-5);
    for (size_t j = 0; j < i; ++j) {
      double cosine = 0;
      for (int64_t k = 0; k < hidden; ++k) cosine += double{draws[i][k]} * draws[j][k];
      // sd 1 / sqrt(1536) = 0.0255: five of them.
      EXPECT_LT(std::abs(cosine / 12.5 / 12.5), 0.13) << i << " " << j;
    }
  }
  EXPECT_EQ(IsotropicDraw(hidden, 12.5, 42, 3), draws[3]);
  // A narrower draw is no prefix in scale but in proportion: coordinate i depends on (seed, draw,
  // i) alone.
  const std::vector<float> narrow = IsotropicDraw(8, 1.0, 42, 3);
  EXPECT_NEAR(narrow[5] / narrow[2], draws[3][5] / draws[3][2], 1e-4);
}

TEST(Control, ResolvesTheFittedDirectionItself) {
  const DirectionSet set = MadeSet("a");
  auto fitted = ResolveDirection(set, {set.set_id, -3, 2, 0, absl::nullopt});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const auto direction = set.Direction(1, 2);
  EXPECT_EQ(fitted->values, std::vector<float>(direction.begin(), direction.end()));
  EXPECT_EQ(fitted->digest, set.Report(1, 2).direction_digest);
  EXPECT_EQ(fitted->norm, set.Report(1, 2).norm);
  EXPECT_EQ(fitted->cosine_with_fitted, 1);
  EXPECT_EQ(fitted->content_digest, set.content_digest);
}

TEST(Control, ResolvesAControlWithTheFittedNorm) {
  const DirectionSet set = MadeSet("a");
  auto control =
      ResolveDirection(set, {set.set_id, -1, 1, 0, Control{ControlFamily::kIsotropic, 5, 2}});
  ASSERT_TRUE(control.ok()) << control.status();
  EXPECT_NEAR(control->norm, set.Report(0, 1).norm, 1e-6);
  EXPECT_EQ(control->values, IsotropicDraw(set.hidden, set.Report(0, 1).norm, 5, 2));
  EXPECT_EQ(control->digest, DirectionDigest(control->values));
  EXPECT_LT(std::abs(control->cosine_with_fitted), 1);
  double dot = 0;
  for (int64_t j = 0; j < set.hidden; ++j)
    dot += double{control->values[j]} * set.Direction(0, 1)[j];
  EXPECT_NEAR(control->cosine_with_fitted, dot / control->norm / set.Report(0, 1).norm, 1e-12);
}

TEST(Control, RefusesWhatTheSetHasNot) {
  const DirectionSet set = MadeSet("a");
  const auto code = [&](int position, int layer, int component, absl::optional<Control> control) {
    return ResolveDirection(set, {set.set_id, position, layer, component, control}).status().code();
  };
  EXPECT_EQ(code(-2, 1, 0, absl::nullopt), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(0, 1, 0, absl::nullopt), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(-1, 3, 0, absl::nullopt), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(-1, -1, 0, absl::nullopt), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(-1, 1, 1, absl::nullopt), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(-1, 1, 0, Control{ControlFamily::kIsotropic, 0, 0x80000000}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(-1, 1, 0, Control{ControlFamily::kIsotropic, 0, 0x7fffffff}),
            absl::StatusCode::kOk);
}

TEST(Control, RefusesAnUnusableLayerByNameAlsoForItsControls) {
  const DirectionSet set = MadeSet("a");
  for (absl::optional<Control> control :
       {absl::optional<Control>(), absl::optional<Control>(Control{})}) {
    const absl::Status status = ResolveDirection(set, {set.set_id, -3, 0, 0, control}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(status), "DIRECTION_UNUSABLE");
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("position -3, layer 0"));
  }
}

}  // namespace
}  // namespace steer
