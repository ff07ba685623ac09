#include "client/data/class_report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace steer {
namespace {

TEST(Lengths, AreSummarised) {
  const LengthSummary odd = SummariseLengths({9, 2, 4});
  EXPECT_DOUBLE_EQ(odd.mean, 5);
  EXPECT_DOUBLE_EQ(odd.deviation, std::sqrt(13.0));
  EXPECT_EQ(odd.minimum, 2);
  EXPECT_EQ(odd.median, 4);
  EXPECT_EQ(odd.maximum, 9);
  EXPECT_DOUBLE_EQ(SummariseLengths({1, 2, 5, 8}).median, 3.5);
  EXPECT_EQ(SummariseLengths({7}).deviation, 0);
  EXPECT_EQ(SummariseLengths({}).maximum, 0);
}

TEST(Surface, CountsCharactersWordsTokensAndEndings) {
  const std::vector<PromptRecord> prompts = {
      {0, "h0", "Name three rivers."},
      {1, "h1", "which lake is deep?"},
      {2, "h2", "go \xC3\xA9t\xC3\xA9!"},
      {3, "h3", "a list (short)"},
      {4, "h4", "no mark"},
      {5, "h5", "\xE6\xB9\x96\xE3\x80\x82"},
  };
  const ClassSurface surface = DescribeClass(prompts, {{"h0", 12}, {"h4", 20}, {"other", 1000}});
  EXPECT_EQ(surface.prompts, 6);
  EXPECT_EQ(surface.characters.minimum, 2);
  EXPECT_EQ(surface.characters.maximum, 19);
  EXPECT_EQ(surface.words.maximum, 4);
  EXPECT_EQ(surface.words.minimum, 1);
  EXPECT_EQ(surface.tokens_known, 2);
  EXPECT_DOUBLE_EQ(surface.tokens.mean, 16);
  EXPECT_EQ(surface.end_full_stop, 2);
  EXPECT_EQ(surface.end_question, 1);
  EXPECT_EQ(surface.end_exclamation, 1);
  EXPECT_EQ(surface.end_other_punctuation, 1);
  EXPECT_EQ(surface.end_none, 1);
  EXPECT_DOUBLE_EQ(surface.punctuated_share(), 5.0 / 6.0);
  EXPECT_EQ(DescribeClass({}, {}).punctuated_share(), 0);
}

TEST(Surface, EndingsAreThoseOfOtherScriptsToo) {
  const std::vector<PromptRecord> prompts = {
      {0, "h0", "\xE6\xB9\x96\xEF\xBC\x9F"},  // full-width question mark
      {1, "h1", "\xE6\xB9\x96\xEF\xBC\x81"},  // full-width exclamation mark
      {2, "h2", "costs 5$"},                  // a symbol is no punctuation
      {3, "h3", " \n"},
  };
  const ClassSurface surface = DescribeClass(prompts, {});
  EXPECT_EQ(surface.end_question, 1);
  EXPECT_EQ(surface.end_exclamation, 1);
  EXPECT_EQ(surface.end_none, 2);
  EXPECT_EQ(surface.end_other_punctuation, 0);
}

TEST(Difference, OfOnePromptEachHasNoDeviationToMeasureBy) {
  const LengthSummary five = SummariseLengths({5});
  const LengthSummary six = SummariseLengths({6});
  EXPECT_EQ(StandardisedDifference(five, 1, five, 1), 0);
  EXPECT_EQ(StandardisedDifference(five, 1, six, 1), -std::numeric_limits<double>::infinity());
}

TEST(Difference, IsCohensD) {
  const LengthSummary a = SummariseLengths({4, 6, 8});
  const LengthSummary b = SummariseLengths({1, 3, 5, 7});
  // Pooled variance (2 * 4 + 3 * 20/3) / 5.
  EXPECT_NEAR(StandardisedDifference(a, 3, b, 4), 2 / std::sqrt(28.0 / 5), 1e-12);
  EXPECT_NEAR(StandardisedDifference(b, 4, a, 3), -2 / std::sqrt(28.0 / 5), 1e-12);
  const LengthSummary five = SummariseLengths({5, 5});
  const LengthSummary six = SummariseLengths({6, 6});
  EXPECT_EQ(StandardisedDifference(five, 2, five, 2), 0);
  EXPECT_EQ(StandardisedDifference(six, 2, five, 2), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace steer
