#include "client/data/near_twins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "client/data/similarity.h"
#include "common/utf8.h"
#include "tests/client/data/vocabulary.h"

namespace steer {
namespace {

// The whole matrix, as the textbook has it.
size_t PlainEditDistance(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
      } else {
        d[i][j] = std::min(
            {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      }
    }
  }
  return d[a.size()][b.size()];
}

template <typename Work>
double Seconds(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(EditDistance, EqualsThePlainOneUpToItsLimit) {
  const PhiloxStream random(3, 1);
  uint64_t at = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint32_t> a(random.Word(at++) % 14);
    std::vector<uint32_t> b(random.Word(at++) % 14);
    for (uint32_t& c : a) c = 'a' + random.Word(at++) % 3;
    for (uint32_t& c : b) c = 'a' + random.Word(at++) % 3;
    const size_t plain = PlainEditDistance(a, b);
    for (size_t limit : {0, 1, 2, 3, 5, 14}) {
      ASSERT_EQ(BoundedEditDistance(a, b, limit), std::min(plain, limit + 1));
    }
  }
}

TEST(SimilarPairs, PromptsTooShortForARunOfLettersAreNoPairs) {
  EXPECT_TRUE(FindSimilarPairs({"ab", "ac", "x"}, {0, 1, 2}, kNearTwinThreshold).empty());
  // Equal as words.
  EXPECT_EQ(FindSimilarPairs({"ab", "ab"}, {0, 1}, kNearTwinThreshold).size(), 1u);
}

TEST(SimilarPairs, OneRareShingleInCommonDoesNotMakeAPair) {
  // The shingle that the first two share is the rarest of either, so that they are compared.
  const std::vector<std::string> forms = {
      "one two three a b c d e f g", "one two three k l m n o p q", "two three a b c d e f g",
      "two three a b c d e f g h",   "two three k l m n o p q",     "two three k l m n o p q r"};
  for (const SimilarPair& pair : FindSimilarPairs(forms, {0, 1, 0, 0, 1, 1}, kNearTwinThreshold)) {
    EXPECT_FALSE(pair.first == 0 && pair.second == 1) << pair.similarity;
  }
}

TEST(NearTwins, APromptThatIsNotUtf8IsRefused) {
  SeedSplits splits;
  splits.harmful.train = {{0, "hash", "\xC3("}};
  EXPECT_TRUE(absl::IsInvalidArgument(FindNearTwins(splits).status()));
}

TEST(Similarity, IsByWordsOrByLetters) {
  EXPECT_DOUBLE_EQ(PromptSimilarity("name three rivers", "name three rivers"), 1.0);
  EXPECT_DOUBLE_EQ(PromptSimilarity("abcdefghij", "abcdefghix"), 0.9);
  EXPECT_LT(PromptSimilarity("name three rivers", "plant a tree now"), 0.5);
  EXPECT_DOUBLE_EQ(PromptSimilarity("", ""), 1.0);
  // The start moved to the end: letters differ widely, 8 of 12 shingles are shared.
  const std::string halves =
      PromptSimilarity("a b c d e f g h i j k", "a b c d e f g h i j l") > 0.9 ? "yes" : "no";
  EXPECT_EQ(halves, "yes");
  const std::vector<std::string> whole = {"two words"};
  EXPECT_EQ(WordShingles("two words"), whole);
}

// Prompts with edits of every kind, so that pairs fall on both sides of the threshold.
std::vector<std::string> Variants(int originals, int copies) {
  std::vector<std::string> forms;
  const PhiloxStream random(11, 5);
  uint64_t at = 0;
  for (int o = 0; o < originals; ++o) {
    const std::string original = RandomPrompt(static_cast<uint64_t>(o), 1 + o % 14);
    forms.push_back(original);
    for (int c = 0; c < copies; ++c) {
      std::string copy = original;
      const uint64_t edits = random.Word(at++) % (2 + copy.size() / 6);
      for (uint64_t e = 0; e < edits && !copy.empty(); ++e) {
        const size_t place = random.Word(at++) % copy.size();
        switch (random.Word(at++) % 4) {
          case 0:
            copy.erase(place, 1);
            break;
          case 1:
            copy.insert(place, 1, 'z');
            break;
          case 2:
            copy[place] = 'y';
            break;
          default:  // a run that repeats, as "bababa" in a prompt
            copy.insert(place, copy.substr(place, 3));
        }
      }
      if (c == copies - 1) copy += copy + " " + copy;
      forms.push_back(copy);
    }
  }
  return forms;
}

TEST(SimilarPairs, AreExactlyThoseOfAllComparisons) {
  const std::vector<std::string> forms = Variants(60, 5);
  std::vector<int> groups;
  for (size_t i = 0; i < forms.size(); ++i) groups.push_back(static_cast<int>(i * 7 % 3));
  for (double threshold : {0.85, 0.9, 0.95, 1.0}) {
    std::set<std::pair<size_t, size_t>> expected;
    for (size_t i = 0; i < forms.size(); ++i) {
      for (size_t j = i + 1; j < forms.size(); ++j) {
        if (groups[i] != groups[j] && PromptSimilarity(forms[i], forms[j]) >= threshold - 1e-9)
          expected.insert({i, j});
      }
    }
    std::set<std::pair<size_t, size_t>> found;
    for (const SimilarPair& pair : FindSimilarPairs(forms, groups, threshold)) {
      found.insert({pair.first, pair.second});
      EXPECT_NEAR(pair.similarity, PromptSimilarity(forms[pair.first], forms[pair.second]), 1e-12);
    }
    EXPECT_EQ(found, expected) << threshold;
    EXPECT_GT(expected.size(), threshold < 1 ? 20u : 0u);
  }
}

TEST(SimilarPairs, AreFoundAmongTensOfThousands) {
  std::vector<std::string> forms;
  std::vector<int> groups;
  for (uint64_t i = 0; i < 31520; ++i) {
    forms.push_back(RandomPrompt(i, 10));
    groups.push_back(i < 520 ? 0 : 1);
  }
  // Three planted twins across the groups, one within a group.
  forms[20000] = forms[10] + "s";
  forms[20001] = forms[11];
  forms[20002] = "so " + forms[12];
  forms[20003] = forms[20004];
  std::vector<SimilarPair> pairs;
  const double seconds = Seconds([&] { pairs = FindSimilarPairs(forms, groups); });
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].first, 10u);
  EXPECT_EQ(pairs[0].second, 20000u);
  EXPECT_EQ(pairs[1].similarity, 1.0);
  // Against each pair by itself, as far as this machine takes for some of them: the index filters.
  size_t total = 0;
  constexpr size_t kSome = 4000;
  const double for_some = Seconds([&] {
    for (size_t i = 0; i < kSome; ++i) {
      total += PlainEditDistance({forms[i % 520].begin(), forms[i % 520].end()},
                                 {forms[520 + i].begin(), forms[520 + i].end()});
    }
  });
  EXPECT_GT(total, kSome);
  RecordProperty("share", std::to_string(seconds / (for_some / kSome * (520.0 * 31000))));
  EXPECT_LT(seconds, for_some / kSome * (520.0 * 31000) / 10);
}

TEST(NearTwins, AreReportedAcrossPartsAndClassesOnly) {
  SeedSplits splits;
  splits.seed = 4;
  splits.harmful.train = {{3, "", "Describe the colours of a small mountain lake"},
                          {4, "", "describe the colour of a small mountain lake"}};
  splits.harmful.test = {{8, "", "describe the colours of a  SMALL mountain lakes"}};
  splits.harmless.validation = {{5, "", "Describe the colours of a small mountain lake!"}};
  auto twins = FindNearTwins(splits);
  ASSERT_TRUE(twins.ok());
  // Rows 3 and 4 share a part; every other pair is reported.
  ASSERT_EQ(twins->size(), 5u);
  for (const NearTwin& twin : *twins) {
    EXPECT_EQ(twin.seed, 4u);
    EXPECT_NE(twin.first.part, twin.second.part);
    EXPECT_GE(twin.similarity, 0.9);
    EXPECT_LT(twin.similarity, 1.0);
  }
  EXPECT_EQ((*twins)[0].first.row, 3);
  EXPECT_EQ((*twins)[0].second.row, 8);
}

}  // namespace
}  // namespace steer
