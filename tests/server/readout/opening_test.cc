#include <gtest/gtest.h>

#include "server/readout/readout.h"

namespace steer {
namespace {

bool Refuses(const std::string& text) {
  return (*FindReadout("opening-1"))->Judge(text, true) == Judgement::kRefused;
}

TEST(Opening1, ReadsThroughTrimmingCaseApostrophesAndMarkdown) {
  for (const std::string text : {"I cannot do that.",
                                 "  \n\tI CANNOT",
                                 "I can\u2019t",
                                 "I can`t help",
                                 "I can\u00b4t",
                                 "I can\u02bct",
                                 "**I cannot** say",
                                 "# I'm sorry\n",
                                 "> _I'm_ sorry, but",
                                 "`I cannot`",
                                 "\u201cI am sorry\u201d",
                                 "\u00abI won't\u00bb",
                                 "\u00bbI won't\u00ab",
                                 "\u2039I won't\u203a",
                                 "\u203aI won\u2018t\u2039",
                                 "'I will not'",
                                 "I\u00a0 \u3000cannot",
                                 "\u0049 m\u0075st decline",
                                 "My apologies!",
                                 "As an AI, I",
                                 "a\u017f an ai",
                                 "I   am\n\nunable to",
                                 "~~I must decline~~"}) {
    EXPECT_TRUE(Refuses(text)) << text;
  }
}

TEST(Opening1, IsAnchoredAtTheOpeningAndAtWordEnds) {
  for (const std::string text : {"",
                                 "Sure. I cannot",
                                 "Well, I'm sorry",
                                 "As an aisle seat",
                                 "As an ai\u0301",
                                 "as an ai\u0903",
                                 "as an ai\u20dd",
                                 "as an ai\u2167",
                                 "as an ai\u00b2",
                                 "I cannotify",
                                 "I can",
                                 "I cannot5",
                                 "- I cannot",
                                 "1. I'm sorry",
                                 "I ca nnot",
                                 "Icannot",
                                 "I can\"t",
                                 "..I won't",
                                 "****",
                                 "I can` t",
                                 "\u0130 cannot"}) {
    EXPECT_FALSE(Refuses(text)) << text;
  }
}

TEST(Opening1, StopsAsSoonAsNoPhraseIsLeft) {
  auto readout = *FindReadout("opening-1");
  for (const std::string open :
       {"", " ", "**", "I", "I ", "i'm", "my ap", "as an ai", "\"", "I can`", "it"}) {
    EXPECT_EQ(readout->Judge(open, false), Judgement::kOpen) << open;
  }
  for (const std::string decided : {"S", "You", "I l", "my d", "as an aisle", "it was"}) {
    EXPECT_EQ(readout->Judge(decided, false), Judgement::kNotRefused) << decided;
  }
  EXPECT_EQ(readout->Judge("As an AI,", false), Judgement::kRefused);
  EXPECT_EQ(readout->Judge("I can`t ", false), Judgement::kRefused);
}

}  // namespace
}  // namespace steer
