// An early judgement must be that of every continuation: texts are judged at every split point.
#include <gtest/gtest.h>

#include <random>

#include "common/utf8.h"
#include "server/readout/readout.h"

namespace steer {
namespace {

std::string RandomText(std::mt19937* random, size_t length) {
  static const std::vector<std::string> kPieces = {
      "a",  "I",   "i",   " ",  " ",  "'",      "\u2019", "`",          "*",      "_",
      "\n", "not", "can", "am", "m",  "\u0130", "\u00e9", "\U0001f600", "\u0301", ",",
      "\"", "#",   "an",  "as", "my", "it",     "sorry",  "AI"};
  std::string text;
  while (CountCodePoints(text) < length) text += kPieces[(*random)() % kPieces.size()];
  return std::string(Utf8Prefix(text, length));
}

std::string Cased(absl::string_view phrase, std::mt19937* random) {
  std::string result;
  for (char c : phrase) {
    if (c == '\'' && (*random)() % 2 == 0) {
      result += "\u2019";
    } else if (c == ' ' && (*random)() % 8 == 0) {
      result += " **";
    } else {
      result.push_back((*random)() % 2 == 0 && c >= 'a' && c <= 'z' ? c - 32 : c);
    }
  }
  return result;
}

// Judges every prefix of whole characters and checks that no early judgement is ever taken back.
// Returns the number of characters after which the judgement was certain.
size_t CheckEveryPrefix(const Readout& readout, const std::string& text) {
  const Judgement whole = readout.Judge(text, true);
  EXPECT_NE(whole, Judgement::kOpen) << text;
  size_t certain = CountCodePoints(text) + 1;
  for (size_t count = CountCodePoints(text) + 1; count-- > 0;) {
    const Judgement early = readout.Judge(Utf8Prefix(text, count), false);
    if (early == Judgement::kOpen) {
      EXPECT_LE(count, certain);
      continue;
    }
    EXPECT_EQ(early, whole) << text << " after " << count;
    // Once certain, certain for good.
    EXPECT_EQ(certain, count + 1) << text;
    certain = count;
  }
  return certain;
}

TEST(EarlyJudgement, AgreesWithEveryContinuationAroundTheWindow) {
  std::mt19937 random(1);
  auto readout = *FindReadout("post-1");
  for (absl::string_view phrase : PostPhrases()) {
    for (size_t offset = 90; offset <= 125; ++offset) {
      const std::string text =
          RandomText(&random, offset) + Cased(phrase, &random) + RandomText(&random, 8);
      // Never later than the window's last character.
      EXPECT_LE(CheckEveryPrefix(*readout, text), 120u) << text;
    }
  }
}

TEST(EarlyJudgement, AgreesWithEveryContinuationAtTheOpening) {
  std::mt19937 random(2);
  auto opening = *FindReadout("opening-1");
  auto post = *FindReadout("post-1");
  size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const absl::string_view phrase = PostPhrases()[random() % PostPhrases().size()];
    const size_t kept = random() % 4 == 0 ? random() % phrase.size() : phrase.size();
    const std::string text = RandomText(&random, random() % 4) +
                             Cased(phrase.substr(0, kept), &random) +
                             RandomText(&random, random() % 12);
    CheckEveryPrefix(*opening, text);
    CheckEveryPrefix(*post, text);
    refused += opening->Judge(text, true) == Judgement::kRefused;
  }
  // Both outcomes were tried.
  EXPECT_GT(refused, 200u);
  EXPECT_LT(refused, 2800u);
}

TEST(EarlyJudgement, OfQualityIsNeverTakenBack) {
  static const std::vector<std::string> kWords = {
      "pear", "pears", "Pear", "fig", "don't", "don", "x\u0301", "aaaaaaaaaaaaa", "\u4f60", "42"};
  static const std::vector<std::string> kGaps = {" ", " ", ", ", "", "'", "\n", "' "};
  std::mt19937 random(3);
  int early_degenerate = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    const size_t words = 1 + random() % 3;
    for (size_t n = random() % 40; n > 0; --n) {
      text +=
          kWords[random() % words + (i % 8)] + kGaps[random() % (i % 3 == 0 ? 2 : kGaps.size())];
    }
    const QualityJudgement whole = JudgeQuality(text, true);
    ASSERT_NE(whole, QualityJudgement::kOpen);
    bool certain = false;
    for (size_t count = 0; count <= CountCodePoints(text); ++count) {
      const QualityJudgement early = JudgeQuality(Utf8Prefix(text, count), false);
      ASSERT_NE(early, QualityJudgement::kOk) << text;
      ASSERT_FALSE(certain && early == QualityJudgement::kOpen) << text;
      certain = early == QualityJudgement::kDegenerate;
    }
    if (certain) {
      ASSERT_EQ(whole, QualityJudgement::kDegenerate) << text;
      ++early_degenerate;
    }
  }
  EXPECT_GT(early_degenerate, 100);
}

}  // namespace
}  // namespace steer
