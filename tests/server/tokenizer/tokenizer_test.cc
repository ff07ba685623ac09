// Ids and texts equal the `tokenizers` library's: a corpus in many scripts, random ids, every code
// point.
#include "server/tokenizer/tokenizer.h"

#include <ostream>
#include <thread>

#include "tests/server/tokenizer/golden_tokenizers.h"
#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer {
namespace {

struct Case {
  std::string name;
  bool by_code_point;
};
// Not its bytes, which differ from run to run.
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class GoldenTest : public testing::TestWithParam<Case> {
 protected:
  // False, with the test skipped, where the tokenizer is not at hand.
  bool Load() {
    auto loaded = GoldenTokenizer(GetParam().name);
    if (absl::IsUnavailable(loaded.status())) return false;
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = loaded.ok() ? *loaded : nullptr;
    return true;
  }

  void ExpectDecodes(const std::vector<int32_t>& ids, uint32_t all, uint32_t without_special) {
    EXPECT_EQ(Checksum(tokenizer_->Decode(ids, false)), all) << tokenizer_->Decode(ids, false);
    std::string text = tokenizer_->Decode(ids, true);
    EXPECT_EQ(Checksum(text), without_special) << text;
    // The stream ends in the same text and never takes a character back.
    StreamDecoder stream(tokenizer_);
    std::string before;
    for (int32_t id : ids) {
      stream.Push(id);
      ASSERT_EQ(stream.text().substr(0, before.size()), before);
      ASSERT_TRUE(IsValidUtf8(stream.text()));
      before = stream.text();
    }
    stream.Finish();
    EXPECT_EQ(stream.text(), text);
    EXPECT_EQ(text.substr(0, before.size()), before);
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
};

#define LOAD_OR_SKIP()                                                                         \
  if (!Load())                                                                                 \
    GTEST_SKIP() << "no ../shared/tokenizers/" << GetParam().name << " beside the repository"; \
  ASSERT_NE(tokenizer_, nullptr)

TEST_P(GoldenTest, CorpusRandomIdsAndEveryCodePoint) {
  LOAD_OR_SKIP();
  IdsReader golden(GoldenBytes(GetParam().name + ".ids"));
  Json corpus = GoldenJson("corpus.json");
  ASSERT_GE(corpus["lines"].size(), 2000u);
  for (const Json& line : corpus["lines"]) {
    std::string text = line.get<std::string>();
    std::vector<int32_t> want = golden.Ids();
    uint32_t all = golden.Word(), without_special = golden.Word();
    auto ids = tokenizer_->Encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    ASSERT_EQ(*ids, want) << line.dump(-1, ' ', true);
    ExpectDecodes(want, all, without_special);
    if (HasFailure()) FAIL() << line.dump(-1, ' ', true);
  }
  for (uint32_t count = golden.Varint(); count > 0; --count) {
    std::vector<int32_t> ids = golden.Ids();
    uint32_t all = golden.Word(), without_special = golden.Word();
    ExpectDecodes(ids, all, without_special);
    if (HasFailure()) FAIL() << testing::PrintToString(ids);
  }
  if (GetParam().by_code_point) {
    for (uint32_t first = 0; first < 0x110000; first += 1024) {
      auto ids = tokenizer_->Encode(CodePointText(first));
      ASSERT_TRUE(ids.ok()) << ids.status();
      EXPECT_EQ(Checksum(*ids), golden.Word()) << "code points from U+" << std::hex << first;
    }
  }
  EXPECT_TRUE(golden.AtEnd());
}

TEST_P(GoldenTest, PiecesAndTokens) {
  LOAD_OR_SKIP();
  for (int32_t id = 0; id < tokenizer_->vocabulary_size(); ++id) {
    std::string piece = tokenizer_->Piece(id);
    ASSERT_TRUE(IsValidUtf8(piece)) << id;
    if (tokenizer_->IsSpecial(id)) {
      EXPECT_EQ(tokenizer_->FindToken(piece), id);
      EXPECT_EQ(tokenizer_->Decode({&id, 1}, true), "");
      auto ids = tokenizer_->Encode(piece);
      ASSERT_TRUE(ids.ok());
      EXPECT_EQ(*ids, std::vector<int32_t>{id});
    }
  }
  for (int32_t id : {-1, tokenizer_->vocabulary_size(), INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer_->Piece(id), "");
    EXPECT_FALSE(tokenizer_->IsSpecial(id));
    EXPECT_EQ(tokenizer_->Decode({&id, 1}, false), "");
  }
}

TEST_P(GoldenTest, ManyThreadsGetTheSameIds) {
  LOAD_OR_SKIP();
  Json corpus = GoldenJson("corpus.json");
  std::vector<std::string> lines;
  for (size_t i = 0; i < corpus["lines"].size(); i += 9) lines.push_back(corpus["lines"][i]);
  std::vector<std::vector<int32_t>> want;
  for (const std::string& line : lines) want.push_back(*tokenizer_->Encode(line));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < lines.size(); ++i) {
        size_t k = (i * 7 + t * 31) % lines.size();
        auto ids = tokenizer_->Encode(lines[k]);
        if (!ids.ok() || *ids != want[k] ||
            tokenizer_->Decode(*ids, false) != tokenizer_->Decode(want[k], false))
          ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, GoldenTest,
                         testing::Values(Case{"qwen2_5", true}, Case{"qwen3", false},
                                         Case{"llama3_2", true}, Case{"gemma3", false},
                                         Case{"gpt2_style", true}),
                         [](const auto& info) { return info.param.name; });

// The same file loads into the same tokenizer; only bytes that are not UTF-8 and text that is not
// are refused.
TEST(TokenizerTest, RefusesTextThatIsNotUtf8) {
  auto tokenizer = Tokenizer::FromJson(GoldenBytes("gpt2_style.json"), "t");
  ASSERT_TRUE(tokenizer.ok());
  for (std::string text : {"ab\xff", "\xed\xa0\x80", "\xc0\x80", "a\xf0\x9f\x99"}) {
    EXPECT_EQ((*tokenizer)->Encode(text).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

// A double for other folders' tests gets a stream without writing one.
TEST(TextStreamTest, DefaultDecodesIdById) {
  class Fake : public Tokenizer {
    absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view) const override {
      return std::vector<int32_t>{};
    }
    std::string Decode(absl::Span<const int32_t> ids, bool) const override {
      std::string out;
      for (int32_t id : ids) out += std::to_string(id) + ",";
      return out;
    }
    int32_t vocabulary_size() const override { return 10; }
    absl::optional<int32_t> FindToken(absl::string_view) const override { return absl::nullopt; }
    std::string Piece(int32_t) const override { return ""; }
    bool IsSpecial(int32_t) const override { return false; }
  };
  StreamDecoder stream(std::make_shared<Fake>());
  stream.Push(3);
  stream.Push(4);
  EXPECT_EQ(stream.text(), "3,4,");
  stream.Finish();
  EXPECT_EQ(stream.text(), "3,4,");
}

}  // namespace
}  // namespace steer
