#include "server/engine/sampler.h"

#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "common/errors.h"

namespace steer {
namespace {

TEST(Sampler, GreedyTakesTheLowestOfEqualLogits) {
  std::vector<float> logits = {0, 3, -1, 3, 2};
  EXPECT_EQ(*ChooseToken(logits, {}, {}, {}), 1);
}

TEST(Sampler, NonFiniteLogitsAreAnError) {
  for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                    std::nanf("")}) {
    std::vector<float> logits = {0, bad, 1};
    EXPECT_EQ(ReasonOf(ChooseToken(logits, {}, {}, {}).status()), "NON_FINITE_LOGITS");
  }
}

// As transformers' RepetitionPenaltyLogitsProcessor: negative logits are multiplied, positive ones
// divided, each id once.
TEST(Sampler, RepetitionPenaltyCountsEachIdOnce) {
  DecodeSpec spec;
  spec.repetition_penalty = 1.5;
  std::vector<float> logits = {3.0f, 2.5f, -1.0f};
  EXPECT_EQ(*ChooseToken(logits, spec, {0, 0}, {}), 1);   // 3 / 1.5 = 2 < 2.5
  EXPECT_EQ(*ChooseToken(logits, spec, {0}, {1, 1}), 0);  // 2.0 against 2.5 / 1.5 = 1.67
  std::vector<float> negative = {-1.0f, -1.2f};
  EXPECT_EQ(*ChooseToken(negative, spec, {0}, {}), 1);  // -1.5 < -1.2
}

TEST(Sampler, FrequenciesFollowTheSoftmaxAndTopP) {
  std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  DecodeSpec spec;
  spec.temperature = 1;
  const int n = 20000;
  for (double top_p : {1.0, 0.75}) {
    spec.top_p = top_p;
    std::map<int32_t, int> counts;
    for (int i = 0; i < n; ++i) {
      spec.seed = static_cast<uint64_t>(i);
      ++counts[*ChooseToken(logits, spec, {}, {})];
    }
    double mass = top_p == 1.0 ? 1.0 : 0.8;
    EXPECT_NEAR(counts[0] / double(n), 0.5 / mass, 0.015);
    EXPECT_NEAR(counts[1] / double(n), 0.3 / mass, 0.015);
    EXPECT_EQ(counts[3] > 0, top_p == 1.0);
  }
}

// The draw depends on (seed, token index) alone.
TEST(Sampler, DrawsAreReproducible) {
  std::vector<float> logits(50, 0.0f);
  DecodeSpec spec;
  spec.temperature = 1;
  spec.seed = 42;
  std::vector<int32_t> generated;
  for (int i = 0; i < 10; ++i) {
    int32_t id = *ChooseToken(logits, spec, {}, generated);
    EXPECT_EQ(id, *ChooseToken(logits, spec, {7, 8}, generated));
    generated.push_back(id);
  }
  EXPECT_NE(generated, std::vector<int32_t>(10, generated[0]));
}

// Added up from the largest on, what is small beside one is lost: the sum stays below a top_p that is
// all but one, and every token is kept.
TEST(Sampler, KeepsAllWhereTheirSumStaysBelowTopP) {
  std::vector<float> logits(1000, std::log(1e-17f));
  logits.push_back(0);
  DecodeSpec spec;
  spec.temperature = 1;
  spec.top_p = std::nextafter(1.0, 0.0);
  for (spec.seed = 0; spec.seed < 100; ++spec.seed)
    EXPECT_EQ(*ChooseToken(logits, spec, {}, {}), 1000);
}

TEST(Sampler, OfEqualWeightsTheLowerIdIsKept) {
  std::vector<float> logits(4, 0.0f);
  DecodeSpec spec;
  spec.temperature = 1;
  spec.top_p = 0.5;
  std::map<int32_t, int> counts;
  for (spec.seed = 0; spec.seed < 100; ++spec.seed) ++counts[*ChooseToken(logits, spec, {}, {})];
  EXPECT_EQ(counts[0] + counts[1], 100);
  EXPECT_GT(counts[0], 25);
  EXPECT_GT(counts[1], 25);
}

}  // namespace
}  // namespace steer
