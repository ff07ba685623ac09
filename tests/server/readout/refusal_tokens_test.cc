#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "server/readout/readout.h"
#include "server/readout/scores.h"

namespace steer {
namespace {

// Splits where a space begins or, if `merges`, nowhere after the template's last character.
class WordTokenizer : public Tokenizer {
 public:
  // Texts after the first `texts` are too much for it.
  explicit WordTokenizer(bool merges, int texts = 100) : merges_(merges), texts_(texts) {}
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override {
    if (texts_-- == 0) return absl::ResourceExhaustedError("too much");
    std::vector<int32_t> ids;
    std::string word;
    const auto end = [&] {
      if (!word.empty()) ids.push_back(ids_.emplace(word, ids_.size()).first->second);
      word.clear();
    };
    for (char c : text) {
      if (c == ' ' || c == '\'' || (c == '|' && !merges_)) end();
      word.push_back(c);
      if (c == '|' && !merges_) end();
    }
    end();
    return ids;
  }
  std::string Decode(absl::Span<const int32_t>, bool) const override { return ""; }
  int32_t vocabulary_size() const override { return 1000; }
  absl::optional<int32_t> FindToken(absl::string_view) const override { return absl::nullopt; }
  std::string Piece(int32_t id) const override {
    for (const auto& item : ids_) {
      if (item.second == id) return item.first;
    }
    return "";
  }
  bool IsSpecial(int32_t) const override { return false; }

 private:
  bool merges_;
  mutable int texts_;
  mutable std::map<std::string, int32_t> ids_;
};

class FixedTemplate : public ChatTemplate {
 public:
  explicit FixedTemplate(bool fails = false) : fails_(fails) {}
  absl::StatusOr<std::string> Render(const std::vector<ChatMessage>& messages,
                                     bool prompt) const override {
    if (fails_) return absl::InvalidArgumentError("takes no user turn");
    if (messages.size() != 1 || messages[0].role != "user" || !prompt) {
      return absl::InvalidArgumentError("wants one user turn");
    }
    return messages[0].content + " |";
  }
  const std::string& digest() const override { return digest_; }

 private:
  bool fails_;
  std::string digest_;
};

TEST(RefusalTokens, AreTheFirstTokensOfSentenceCasedPhrases) {
  WordTokenizer tokenizer(false);
  auto ids = RefusalTokenIds(tokenizer, FixedTemplate(), (*FindReadout("post-1"))->phrases());
  ASSERT_TRUE(ids.ok()) << ids.status();
  std::set<std::string> pieces;
  for (int32_t id : *ids) pieces.insert(tokenizer.Piece(id));
  EXPECT_EQ(pieces, (std::set<std::string>{"I", "As", "My", "It"}));
  EXPECT_TRUE(std::is_sorted(ids->begin(), ids->end()));
  EXPECT_EQ(ids->size(), 4u);
}

TEST(RefusalTokens, AreRefusedWhereTheTemplateMergesWithThePhrase) {
  WordTokenizer tokenizer(true);
  EXPECT_EQ(RefusalTokenIds(tokenizer, FixedTemplate(), {"i cannot"}).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_FALSE(RefusalTokenIds(WordTokenizer(false), FixedTemplate(), {""}).ok());
}

TEST(RefusalTokens, PassOnWhatTemplateAndTokenizerRefuse) {
  const absl::Status refused =
      RefusalTokenIds(WordTokenizer(false), FixedTemplate(/*fails=*/true), {"i cannot"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(), "refusal tokens: a plain user turn: takes no user turn");
  for (int texts : {0, 1}) {
    EXPECT_EQ(
        RefusalTokenIds(WordTokenizer(false, texts), FixedTemplate(), {"i cannot"}).status().code(),
        absl::StatusCode::kResourceExhausted);
  }
}

}  // namespace
}  // namespace steer
