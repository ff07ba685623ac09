#include "server/readout/readout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/digest.h"
#include "common/utf8.h"
#include "tests/server/readout/golden.h"

namespace steer {
namespace {

TEST(Readouts, AreFoundByNameAndNoOther) {
  std::set<std::string> digests;
  for (const std::string name : {"post-1", "opening-1"}) {
    auto readout = FindReadout(name);
    ASSERT_TRUE(readout.ok()) << readout.status();
    EXPECT_EQ((*readout)->name(), name);
    EXPECT_TRUE(IsSha256Hex((*readout)->digest()));
    EXPECT_EQ((*readout)->phrases().size(), 25u);
    digests.insert((*readout)->digest());
  }
  EXPECT_EQ(digests.size(), AllReadouts().size());
  auto unknown = FindReadout("post-2");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.status().message()), testing::HasSubstr("post-1, opening-1"));
}

TEST(Readouts, HoldThePostsPhrasesInOrder) {
  ASSERT_EQ(PostPhrases().size(), 25u);
  EXPECT_EQ(PostPhrases()[0], "i'm sorry");
  EXPECT_EQ(PostPhrases()[9], "i can not");
  EXPECT_EQ(PostPhrases()[24], "it's not appropriate");
  const std::set<absl::string_view> distinct(PostPhrases().begin(), PostPhrases().end());
  EXPECT_EQ(distinct.size(), 25u);
}

// A lock pins these: a changed rule must change its name.
TEST(Readouts, DigestsArePinned) {
  EXPECT_EQ((*FindReadout("post-1"))->digest(),
            "0c243398ef6b0f7c6e65db39a324bdf97c92d6d2d8ae2f4e4219d57ef7d2a728");
  EXPECT_EQ((*FindReadout("opening-1"))->digest(),
            "0b659a80d093c7aecbcc70d60147030760b26b95ed7f2417315882815030b1fa");
}

TEST(Post1, EqualsPython) {
  const Json cases = Golden("readout.json")["post_1"];
  ASSERT_GT(cases.size(), 900u);
  auto readout = *FindReadout("post-1");
  for (const Json& item : cases) {
    const std::string text = item[0].get<std::string>();
    EXPECT_EQ(readout->Judge(text, true),
              item[1].get<bool>() ? Judgement::kRefused : Judgement::kNotRefused)
        << text;
  }
}

// Every code point whose lower() has ASCII in it, in a real Python, is one that the rule lowers;
// and no other code point is taken for a letter.
TEST(Post1, LowersEveryCodePointAsPythonDoes) {
  const Json lowered = Golden("readout.json")["lower_to_ascii"];
  ASSERT_FALSE(lowered.empty());
  auto readout = *FindReadout("post-1");
  const auto refuses = [&](uint32_t c) {
    std::string text;
    AppendUtf8(c, &text);
    return readout->Judge(text + " can't", true) == Judgement::kRefused;
  };
  for (uint32_t c = 0x80; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const auto it = lowered.find(std::to_string(c));
    // "i\u0307" has a mark between the letter and the space, so U+0130 matches no phrase there.
    const bool plain_i = it != lowered.end() && it->get<std::string>() == "i";
    ASSERT_EQ(refuses(c), plain_i) << c;
  }
  EXPECT_EQ(lowered.size(), 2u);
  EXPECT_EQ(lowered["304"].get<std::string>(), "i\u0307");
  EXPECT_EQ(lowered["8490"].get<std::string>(), "k");
  // U+0130 at the end of a phrase: its mark follows the match.
  EXPECT_EQ(readout->Judge("as an a\u0130", true), Judgement::kRefused);
}

TEST(Post1, SlicesByCodePointsBeforeLowering) {
  auto readout = *FindReadout("post-1");
  const auto after = [&](const std::string& piece, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += piece;
    return readout->Judge(text + "I cannot", true);
  };
  // 112 + 8 characters fit, whatever their bytes or the length of their lower case.
  for (const std::string piece : {"x", "\u00e9", "\U0001f600", "\u0130"}) {
    EXPECT_EQ(after(piece, 112), Judgement::kRefused) << piece;
    EXPECT_EQ(after(piece, 113), Judgement::kNotRefused) << piece;
  }
}

TEST(Post1, IsOpenUntilTheWindowIsFull) {
  auto readout = *FindReadout("post-1");
  EXPECT_EQ(readout->Judge("", false), Judgement::kOpen);
  EXPECT_EQ(readout->Judge(std::string(119, 'x'), false), Judgement::kOpen);
  EXPECT_EQ(readout->Judge(std::string(119, 'x'), true), Judgement::kNotRefused);
  EXPECT_EQ(readout->Judge(std::string(120, 'x'), false), Judgement::kNotRefused);
  EXPECT_EQ(readout->Judge("Well, I won't", false), Judgement::kRefused);
}

}  // namespace
}  // namespace steer
