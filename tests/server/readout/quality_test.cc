#include <gtest/gtest.h>

#include "server/readout/readout.h"
#include "tests/server/readout/golden.h"

namespace steer {
namespace {

TEST(Degenerate1, EqualsTheRuleWrittenInPython) {
  const Json cases = Golden("readout.json")["degenerate_1"];
  ASSERT_GT(cases.size(), 700u);
  for (const Json& item : cases) {
    const std::string text = item[0].get<std::string>();
    EXPECT_EQ(JudgeQuality(text, true),
              item[1].get<bool>() ? QualityJudgement::kDegenerate : QualityJudgement::kOk)
        << text;
  }
}

TEST(Degenerate1, HasItsConstants) {
  const auto repeat = [](const std::string& piece, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += piece;
    return text;
  };
  EXPECT_EQ(JudgeQuality("", true), QualityJudgement::kDegenerate);
  EXPECT_EQ(JudgeQuality("!!!!!!", true), QualityJudgement::kDegenerate);
  EXPECT_EQ(JudgeQuality("", false), QualityJudgement::kOpen);
  EXPECT_EQ(JudgeQuality(repeat("x", 39), true), QualityJudgement::kOk);
  EXPECT_EQ(JudgeQuality(repeat("x", 40), false), QualityJudgement::kDegenerate);
  EXPECT_EQ(JudgeQuality(repeat("pear ", 5), true), QualityJudgement::kOk);
  EXPECT_EQ(JudgeQuality(repeat("pear ", 6), false), QualityJudgement::kDegenerate);
  // The sixth may still become another word.
  EXPECT_EQ(JudgeQuality(repeat("pear ", 5) + "pear", false), QualityJudgement::kOpen);
  EXPECT_EQ(JudgeQuality(repeat("pear ", 5) + "pear", true), QualityJudgement::kDegenerate);
  EXPECT_EQ(JudgeQuality(repeat("pear ", 5) + "pears", true), QualityJudgement::kOk);
}

}  // namespace
}  // namespace steer
