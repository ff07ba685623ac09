// Ids and texts equal the `tokenizers` library's on 60,000 mixed lines, every code point alone and between two letters, every added
// token, 10,000 byte strings, 4,000 id sequences and long runs. The goldens hold digests; to see the ids of a block that differs beside
// the library's, run tests/golden/tokenizer/compare_live.py.
#include <array>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "tests/server/tokenizer/golden_tokenizers.h"
#include "tests/server/tokenizer/mixed_text.h"
#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer {
namespace {

constexpr int kLines = 60000, kByteStrings = 10000, kSequences = 4000;
constexpr size_t kRunBytes = size_t{1} << 18;
enum Section { kLineSection, kAlone, kBetween, kAdded, kBytes, kSequenceSection, kRuns, kSections };

// crc32 of words and texts as they come.
class Crc {
 public:
  void Word(uint32_t word) {
    const unsigned char bytes[4] = {
        static_cast<unsigned char>(word), static_cast<unsigned char>(word >> 8),
        static_cast<unsigned char>(word >> 16), static_cast<unsigned char>(word >> 24)};
    value_ = crc32(value_, bytes, 4);
  }
  void Ids(const std::vector<int32_t>& ids) {
    for (int32_t id : ids) Word(static_cast<uint32_t>(id));
  }
  // With a NUL behind it.
  void Text(const std::string& text) {
    value_ = crc32(value_, reinterpret_cast<const Bytef*>(text.c_str()),
                   static_cast<uInt>(text.size() + 1));
  }
  uint32_t value() const { return static_cast<uint32_t>(value_); }

 private:
  uLong value_ = 0;
};

class MixedTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto json = GoldenTokenizerJson(GetParam());
    if (absl::IsUnavailable(json.status())) GTEST_SKIP() << json.status().message();
    ASSERT_TRUE(json.ok()) << json.status();
    auto loaded = Tokenizer::FromJson(*json, GetParam());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *loaded;
    std::string name = GetParam();
    if (name == "smollm2_file") name = "smollm2";
    const std::string bytes = GoldenBytes(name + ".mixed");
    std::string hex;
    for (char c : bytes.substr(0, 32))
      absl::StrAppend(&hex, absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    if (GetParam() != "smollm2") {
      ASSERT_EQ(hex, Sha256Hex(*json))
          << "the golden was made for another tokenizer.json; make_mixed_golden.py makes it anew";
    }
    IdsReader header(bytes.substr(32, 64));
    size_t sizes[kSections], total = 0;
    for (size_t& size : sizes) total += size = header.Varint();
    ASSERT_LT(total, bytes.size());
    size_t at = bytes.size() - total;
    for (int k = 0; k < kSections; at += sizes[k++]) sections_[k] = bytes.substr(at, sizes[k]);
  }

  IdsReader Golden(Section section) const { return IdsReader(sections_[section]); }

  // The texts' ids, decoded in every way, against the two words that come next.
  void ExpectBlock(const std::vector<std::string>& texts, IdsReader* golden,
                   const std::string& where) {
    Crc all_ids, all_texts;
    for (const std::string& text : texts) {
      auto ids = tokenizer_->Encode(text);
      ASSERT_TRUE(ids.ok()) << ids.status();
      all_ids.Ids(*ids);
      all_texts.Text(tokenizer_->Decode(*ids, false));
      all_texts.Text(tokenizer_->Decode(*ids, true));
    }
    EXPECT_EQ(all_ids.value(), golden->Word()) << "ids of " << where;
    EXPECT_EQ(all_texts.value(), golden->Word()) << "decoded texts of " << where;
  }

  void ExpectCodePoints(Section section, const std::string& before, const std::string& after) {
    IdsReader golden = Golden(section);
    std::vector<std::string> texts;
    for (uint32_t first = 0; first < 0x110000; first += 1024) {
      texts.clear();
      for (uint32_t c = first; c < first + 1024; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        texts.push_back(before);
        AppendUtf8(c, &texts.back());
        texts.back() += after;
      }
      ExpectBlock(texts, &golden, absl::StrCat("code points from U+", absl::Hex(first)));
    }
    EXPECT_TRUE(golden.AtEnd());
  }

  // Of the golden's ranges.
  static std::vector<int32_t> ReadAddedIds(IdsReader* golden) {
    std::vector<int32_t> added;
    for (uint32_t ranges = golden->Varint(); ranges > 0; --ranges) {
      int32_t first = static_cast<int32_t>(golden->Varint());
      for (uint32_t n = golden->Varint(); n > 0; --n) added.push_back(first++);
    }
    return added;
  }

  // Ids that arrive one by one: only whole characters come out, none is taken back, and nothing stays behind but what a later id can
  // change.
  void ExpectStream(const std::vector<int32_t>& ids, bool byte_level) {
    StreamDecoder stream(tokenizer_);
    size_t before = 0;
    std::string final = tokenizer_->Decode(ids, true);
    for (size_t k = 0; k < ids.size(); ++k) {
      stream.Push(ids[k]);
      const std::string& text = stream.text();
      ASSERT_GE(text.size(), before);
      ASSERT_EQ(final.compare(0, text.size(), text), 0) << text;
      ASSERT_TRUE(IsValidUtf8(absl::string_view(text).substr(before)));
      if (byte_level) {
        std::string decoded = tokenizer_->Decode(absl::MakeConstSpan(ids).first(k + 1), true);
        ASSERT_TRUE(decoded == text || decoded == text + "\uFFFD") << decoded;
      }
      before = text.size();
    }
    stream.Finish();
    ASSERT_EQ(stream.text(), final);
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::array<std::string, kSections> sections_;
};

Json ReadTables() { return GoldenJson("mixed_tables.json"); }

TEST_P(MixedTest, Lines) {
  const MixedTables tables(ReadTables()["tables"]);
  MixedText text(tables, 1);
  IdsReader golden = Golden(kLineSection);
  for (int first = 0; first < kLines; first += 20) {
    std::vector<std::string> lines;
    for (int k = 0; k < 20; ++k) lines.push_back(text.Line());
    ExpectBlock(lines, &golden, absl::StrCat("lines from ", first));
  }
  EXPECT_TRUE(golden.AtEnd());
}

TEST_P(MixedTest, EveryCodePointAlone) { ExpectCodePoints(kAlone, "", ""); }

TEST_P(MixedTest, EveryCodePointBetweenLetters) { ExpectCodePoints(kBetween, "a", "b"); }

TEST_P(MixedTest, EveryAddedToken) {
  IdsReader golden = Golden(kAdded);
  const std::vector<int32_t> added = ReadAddedIds(&golden);
  ASSERT_FALSE(added.empty());
  std::vector<std::string> texts;
  for (size_t k = 0; k < added.size(); ++k) {
    const std::string token = tokenizer_->Piece(added[k]);
    EXPECT_EQ(tokenizer_->FindToken(token), added[k]);
    const size_t count = CountCodePoints(token);
    const std::string head(Utf8Prefix(token, count - 1)),
        tail = token.substr(Utf8Prefix(token, 1).size());
    for (const std::string& form :
         {token, token + token, "a" + token + "b", " " + token + " ", head, token + "\n" + tail})
      texts.push_back(form);
    if (k % 32 == 31 || k + 1 == added.size()) {
      ExpectBlock(texts, &golden, absl::StrCat("added tokens up to ", token));
      texts.clear();
    }
  }
  EXPECT_TRUE(golden.AtEnd());
}

TEST_P(MixedTest, ByteStringsAreEncodedOrRefusedAtTheByte) {
  const MixedTables tables(ReadTables()["tables"]);
  MixedText text(tables, 2);
  IdsReader golden = Golden(kBytes);
  int refused = 0;
  for (int first = 0; first < kByteStrings; first += 50) {
    Crc crc;
    for (int k = 0; k < 50; ++k) {
      const std::string bytes = text.ByteString();
      auto ids = tokenizer_->Encode(bytes);
      if (ids.ok()) {
        crc.Word(~uint32_t{0});
        crc.Ids(*ids);
        continue;
      }
      ++refused;
      EXPECT_EQ(ids.status().code(), absl::StatusCode::kInvalidArgument) << ids.status();
      const std::string message(ids.status().message());
      const std::string stem = "the text is not UTF-8 at byte ";
      ASSERT_EQ(message.substr(0, stem.size()), stem);
      crc.Word(static_cast<uint32_t>(std::stoul(message.substr(stem.size()))));
    }
    EXPECT_EQ(crc.value(), golden.Word()) << "byte strings from " << first;
  }
  EXPECT_GT(refused, 3000);
  EXPECT_TRUE(golden.AtEnd());
}

TEST_P(MixedTest, IdSequencesAndTheirStreams) {
  IdsReader added_section = Golden(kAdded), golden = Golden(kSequenceSection);
  const std::vector<int32_t> added = ReadAddedIds(&added_section), short_ids = golden.Ids();
  // A run of byte tokens (Gemma) stays open until it ends; bytes of a byte-level tokenizer do so for one character.
  const bool byte_level = !tokenizer_->FindToken("<0x41>").has_value();
  SplitMix random(3);
  for (int first = 0; first < kSequences; first += 20) {
    Crc crc;
    for (int k = 0; k < 20; ++k) {
      const std::vector<int32_t> ids =
          IdSequence(random, tokenizer_->vocabulary_size(), short_ids, added);
      crc.Text(tokenizer_->Decode(ids, false));
      crc.Text(tokenizer_->Decode(ids, true));
      ExpectStream(ids, byte_level);
      if (HasFatalFailure()) FAIL() << testing::PrintToString(ids);
    }
    EXPECT_EQ(crc.value(), golden.Word()) << "sequences from " << first;
  }
  EXPECT_TRUE(golden.AtEnd());
}

// Work that grows with the square of a run would take minutes here.
TEST_P(MixedTest, LongRunsOfOneClass) {
  IdsReader golden = Golden(kRuns);
  const std::vector<std::string> units = {"a",          "Z",
                                          "0",          " ",
                                          "\n",         "\t",
                                          "!",          "\u4e2d",
                                          "\u0301",     "\u0316\u0301",
                                          "\U0001f642", "\u00e9",
                                          " \n",        "'s",
                                          "ab ",        std::string(1, '\0')};
  ASSERT_EQ(golden.Varint(), units.size());
  for (const std::string& unit : units) {
    std::string text;
    for (size_t n = kRunBytes / unit.size(); n > 0; --n) text += unit;
    const auto start = std::chrono::steady_clock::now();
    auto ids = tokenizer_->Encode(text);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10))
        << Json(unit).dump(-1, ' ', true);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(ids->size(), golden.Varint()) << Json(unit).dump(-1, ' ', true);
    EXPECT_EQ(Checksum(*ids), golden.Word()) << Json(unit).dump(-1, ' ', true);
  }
  EXPECT_TRUE(golden.AtEnd());
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, MixedTest, testing::ValuesIn(GoldenTokenizerNames()),
                         [](const auto& info) { return info.param; });

// The generator is the one that the goldens were made with.
TEST(MixedTextTest, WritesWhatItsPythonTwinWrites) {
  const Json golden = ReadTables();
  const MixedTables tables(golden["tables"]);
  auto digest = [](int count, const auto& next) {
    Sha256 sha;
    for (int k = 0; k < count; ++k) {
      const std::string item = next();
      const auto size = static_cast<uint32_t>(item.size());
      sha.Update(&size, sizeof(size)).Update(item);
    }
    return sha.Hex();
  };
  MixedText lines(tables, 1), strings(tables, 2);
  EXPECT_EQ(digest(kLines, [&] { return lines.Line(); }), golden["lines_sha256"]);
  EXPECT_EQ(digest(kByteStrings, [&] { return strings.ByteString(); }),
            golden["byte_strings_sha256"]);
}

}  // namespace
}  // namespace steer
