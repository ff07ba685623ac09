// Tokenizers of a few tokens, one for each corner that the golden files leave out. What is expected
// is what the `tokenizers` library (0.23) gives.
#include <filesystem>
#include <fstream>

#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer {
namespace {

// Ids count from 0 over `vocabulary`, then over `added`, whose entries give content and options that
// are true. `top` replaces fields of the file.
Json Small(const std::vector<std::string>& vocabulary, const Json& top,
           const std::vector<std::pair<std::string, std::string>>& added = {}) {
  Json json = {{"added_tokens", Json::array()},
               {"model", {{"type", "BPE"}, {"vocab", Json::object()}, {"merges", Json::array()}}}};
  for (const std::string& token : vocabulary) {
    const size_t id = json["model"]["vocab"].size();
    json["model"]["vocab"][token] = id;
  }
  for (const auto& [content, option] : added) {
    Json token = {{"id", vocabulary.size() + json["added_tokens"].size()}, {"content", content}};
    for (const char* name : {"single_word", "lstrip", "rstrip", "normalized", "special"})
      token[name] = option == name;
    json["added_tokens"].push_back(token);
  }
  json.update(top);
  return json;
}

std::shared_ptr<const Tokenizer> Loaded(const Json& json) {
  auto tokenizer = Tokenizer::FromJson(json.dump(), "small");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *tokenizer : nullptr;
}

using Ids = std::vector<int32_t>;

void ExpectIds(const Json& json, const std::vector<std::pair<std::string, Ids>>& cases) {
  const auto tokenizer = Loaded(json);
  ASSERT_NE(tokenizer, nullptr);
  for (const auto& [text, want] : cases) {
    auto ids = tokenizer->Encode(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, want) << "'" << text << "'";
  }
}

void ExpectTexts(const Json& json, const std::vector<std::pair<Ids, std::string>>& cases) {
  const auto tokenizer = Loaded(json);
  ASSERT_NE(tokenizer, nullptr);
  for (const auto& [ids, want] : cases) {
    EXPECT_EQ(tokenizer->Decode(ids, false), want) << testing::PrintToString(ids);
    StreamDecoder stream(tokenizer);
    for (int32_t id : ids) stream.Push(id);
    stream.Finish();
    EXPECT_EQ(stream.text(), want) << testing::PrintToString(ids);
    // A second time changes nothing.
    stream.Finish();
    EXPECT_EQ(stream.text(), want) << testing::PrintToString(ids);
  }
}

TEST(SmallTokenizer, AddedTokensBesideCharactersOfManyBytesAndAtTheEnds) {
  ExpectIds(Small({"a", "b", "\u00e9", " ", "\u3000"}, Json::object(),
                  {{"<w>", "single_word"}, {"<l>", "lstrip"}, {"<r>", "rstrip"}}),
            {{"\u00e9<w>", {2}},
             {"<w>\u00e9", {2}},
             {"<w>", {5}},
             {"a <w>", {0, 3, 5}},
             {" \u3000<l>a", {6, 0}},
             {"a\u3000<l>", {0, 6}},
             {"<r> \u3000", {7}},
             {"<r> a", {7, 0}},
             {"<w>a", {0}}});
}

// Fields that the library has a default for.
TEST(SmallTokenizer, FieldsThatMayBeAbsent) {
  Json json = Small({"a", "b"}, Json::object());
  json.erase("added_tokens");
  ExpectIds(json, {{"ab", {0, 1}}});
  json["version"] = "1.0";
  json["model"]["dropout"] = 0.0;
  ExpectIds(json, {{"ab", {0, 1}}});
  json["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", nullptr}};
  ExpectIds(json, {{"ab", {0, 1}}});
}

TEST(SmallTokenizer, NormalizedToNothing) {
  ExpectIds(
      Small({"a"},
            {{"normalizer",
              {{"type", "Sequence"},
               {"normalizers",
                {{{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}},
                 {{"type", "Replace"}, {"pattern", {{"Regex", "x|^"}}}, {"content", "a"}}}}}}}),
      {{"  ", {}}, {"a", {0, 0}}});
}

TEST(SmallTokenizer, MetaspaceThatPrependsNothing) {
  ExpectIds(Small({"_a", "a", " ", "_"}, {{"pre_tokenizer",
                                           {{"type", "Metaspace"},
                                            {"replacement", "_"},
                                            {"prepend_scheme", "never"},
                                            {"add_prefix_space", false}}}}),
            {{"a", {1}}, {" a", {3, 1}}});
}

TEST(SmallTokenizer, TokensThatLookLikeBytes) {
  ExpectTexts(
      Small({"<0x41>", "<0x+4>", "<0x4Z>", "<0xG4>", "<0x4+>", "a", "<0x41]"},
            {{"decoder", {{"type", "ByteFallback"}}}}),
      {{{0}, "A"}, {{1}, "\x04"}, {{0, 1, 2, 3, 4, 5, 6}, "A\x04<0x4Z><0xG4><0x4+>a<0x41]"}});
}

TEST(SmallTokenizer, DecoderStages) {
  ExpectTexts(
      Small({"__a__", "a_", "_", "a"},
            {{"decoder", {{"type", "Strip"}, {"content", "_"}, {"start", 1}, {"stop", 1}}}}),
      {{{0}, "_a_"}, {{1}, "a"}, {{1, 3}, "aa"}, {{0, 0}, "_a__a_"}});
  ExpectTexts(Small({"aab", "ab", "a", "b", "ba"},
                    {{"decoder",
                      {{"type", "Replace"}, {"pattern", {{"String", "ab"}}}, {"content", "x"}}}}),
              {{{0}, "ax"}, {{2}, "a"}, {{2, 3}, "ab"}, {{4, 3}, "bab"}});
  // What is put in is of the byte alphabet too.
  ExpectTexts(
      Small({"aa", "ba", "\u0120a"},
            {{"decoder",
              {{"type", "Sequence"},
               {"decoders",
                {{{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "\u0120"}},
                 {{"type", "ByteLevel"}}}}}}}),
      {{{0}, "  "}, {{1}, "b "}, {{2}, "  "}, {{0, 1, 2}, "  b   "}});
}

// An id that no token has stands for nothing.
TEST(SmallTokenizer, AGapBetweenIds) {
  Json json = Small({"a"}, Json::object());
  json["model"]["vocab"]["b"] = 2;
  json["model"].erase("type");  // as in old files
  ExpectTexts(json, {{{0, 1, 2}, "a b"}, {{1}, ""}});
  const auto tokenizer = Loaded(json);
  EXPECT_EQ(tokenizer->vocabulary_size(), 3);
  EXPECT_EQ(tokenizer->Piece(1), "");
  EXPECT_EQ(tokenizer->FindToken("b"), 2);
  EXPECT_EQ(tokenizer->FindToken("c"), absl::nullopt);
}

TEST(SmallTokenizer, LoadsFromAFolder) {
  const std::string folder = testing::TempDir() + "/small_tokenizer";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/tokenizer.json") << Small({"a"}, Json::object()).dump();
  auto tokenizer = Tokenizer::Load(folder);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)->Encode("aa"), (Ids{0, 0}));
}

// What a stage takes off at a text's ends belongs to the token.
TEST(SmallTokenizer, PieceOfAStrippedToken) {
  const Json json = Small(
      {"_a"}, {{"decoder", {{"type", "Strip"}, {"content", "_"}, {"start", 1}, {"stop", 0}}}});
  ExpectTexts(json, {{{0}, "a"}});
  EXPECT_EQ(Loaded(json)->Piece(0), "_a");
}

// The space that the first token of a text loses belongs to the token.
TEST(SmallTokenizer, PieceOfAMetaspaceToken) {
  const Json json =
      Small({"_a", "a"}, {{"decoder", {{"type", "Metaspace"}, {"replacement", "_"}}}});
  ExpectTexts(json, {{{0}, "a"}, {{0, 0}, "a a"}, {{1, 0}, "a a"}});
  EXPECT_EQ(Loaded(json)->Piece(0), " a");
}

}  // namespace
}  // namespace steer
