// The reader of plans, one kind of value at a time: what it takes, what it refuses, and the line that it names.
#include "client/plan/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace steer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class YamlReader : public ::testing::Test {
 protected:
  YamlMap Read(const std::string& text) { return YamlMap(YAML::Load(text), "", &problems_); }
  // What was recorded since the last call, as "line: description".
  std::vector<std::string> Problems() {
    std::vector<std::string> lines;
    for (const Violation& violation : problems_.violations.violations()) {
      lines.push_back(absl::StrCat(violation.field, " ", violation.description));
    }
    problems_ = YamlProblems("p.yaml");
    return lines;
  }

  YamlProblems problems_{"p.yaml"};
};

TEST_F(YamlReader, NumbersArePlainFiniteAndInRange) {
  YamlMap map = Read(
      "a: 0.5\nb: -1e3\nquoted: \"0.5\"\nword: half\nnan: .nan\ninf: .inf\n"
      "overflow: 1e999\nspelt: inf\nlist: [1]\n");
  EXPECT_EQ(map.Number("a", 0, 1, 9), 0.5);
  EXPECT_EQ(map.Number("a", 0.5, 0.5, 9), 0.5);  // both ends belong to the range
  EXPECT_EQ(map.Number("b", -1000, 0, 9), -1000);
  EXPECT_EQ(map.Number("absent", 0, 1, 9), 9);
  EXPECT_THAT(Problems(), IsEmpty());
  for (const char* key : {"quoted", "word", "nan", "inf", "overflow", "spelt"}) {
    EXPECT_EQ(map.Number(key, -1e300, 1e300, 9), 9) << key;
    EXPECT_THAT(Problems(), ElementsAre(HasSubstr("wants a number"))) << key;
  }
  EXPECT_EQ(map.Number("list", 0, 1, 9), 9);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:9 list: wants one value, has a list"));
  EXPECT_EQ(map.Number("a", 0.6, 1, 9), 9);
  EXPECT_EQ(map.Number("a", 0, 0.4, 9), 9);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:1 a: must lie between 0.6 and 1, is 0.5",
                                      "p.yaml:1 a: must lie between 0 and 0.4, is 0.5"));
}

TEST_F(YamlReader, WholeNumbersAreDecimalDigits) {
  YamlMap map = Read(
      "a: -3\nempty: \"\"\nnone:\nminus: --3\nhex: 0x10\nreal: 1.0\nplus: +3\n"
      "big: 9223372036854775808\nquoted: \"3\"\n");
  EXPECT_EQ(map.Int("a", -3, 5, true, 0), -3);
  EXPECT_THAT(Problems(), IsEmpty());
  for (const char* key : {"empty", "minus", "hex", "real", "plus", "big", "quoted"}) {
    EXPECT_EQ(map.Int(key, -10, 10, true, 4), 4) << key;
    EXPECT_THAT(Problems(), ElementsAre(HasSubstr("wants a whole number"))) << key;
  }
  EXPECT_EQ(map.Int("none", -10, 10, true, 4), 4);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:3 none: wants one value, has nothing"));
  map.Int("a", -2, 5, true, 0);
  map.Int("absent", 0, 1, true, 0);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:1 a: must lie between -2 and 5, is -3",
                                      "p.yaml:1 absent: is missing"));
}

TEST_F(YamlReader, ListsOfWholeNumbersAreDistinctAndOfALength) {
  YamlMap map = Read("a: [3, 1]\nb: [1, 2, 1]\nc: [1, x]\nd: {x: 1}\ne: [[1]]\n");
  EXPECT_THAT(map.Ints("a", 0, 9, 1, 2), ElementsAre(3, 1));
  EXPECT_THAT(map.Ints("absent", 0, 9, 1, 2), IsEmpty());
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_THAT(map.Ints("a", 0, 9, 3, 4), IsEmpty());
  EXPECT_THAT(map.Ints("a", 0, 9, 0, 1), IsEmpty());
  EXPECT_THAT(map.Ints("b", 0, 9, 1, 3), ElementsAre(1, 2));
  EXPECT_THAT(map.Ints("c", 0, 9, 1, 3), ElementsAre(1));
  EXPECT_THAT(map.Ints("d", 0, 9, 1, 3), IsEmpty());
  EXPECT_THAT(map.Ints("e", 0, 9, 1, 3), IsEmpty());
  EXPECT_THAT(Problems(),
              ElementsAre("p.yaml:1 a: wants 3 to 4 entries, has 2",
                          "p.yaml:1 a: wants 0 to 1 entries, has 2", "p.yaml:2 b: 1 occurs twice",
                          "p.yaml:3 c: wants a whole number, has \"x\"",
                          "p.yaml:4 d: wants a list of whole numbers, has a mapping",
                          "p.yaml:5 e: wants a whole number, has a list"));
}

TEST_F(YamlReader, MappingsNestAndKeepTheirPath) {
  YamlMap map = Read("a:\n  b: x\nlist:\n  - c: 1\n  - c: 2\nword: y\n");
  map.Map("a", true).Int("b", 0, 1, true, 0);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:2 a.b: wants a whole number, has \"x\""));
  std::vector<YamlMap> maps = map.Maps("list", 2);
  ASSERT_EQ(maps.size(), 2u);
  maps[1].Int("c", 0, 1, true, 0);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:5 list[1].c: must lie between 0 and 1, is 2"));
  EXPECT_THAT(map.Maps("list", 1), IsEmpty());
  EXPECT_THAT(map.Maps("word", 1), IsEmpty());
  EXPECT_THAT(map.Maps("absent", 1), IsEmpty());
  EXPECT_EQ(Problems().size(), 2u);
  // One mistake is told once: what hangs below a mapping that is none asks for nothing more.
  YamlMap none = map.Map("word", true);
  EXPECT_EQ(none.RequiredString("x"), "");
  none.Add("x", "told at no place of its own");
  none.Finish();
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:6 word: wants a mapping of keys, has \"y\"",
                                      HasSubstr("word.x: told at no place of its own")));
  map.Map("absent", true);
  map.Map("absent", false);
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:1 absent: is missing"));
}

TEST_F(YamlReader, KeysAreWordsThatOccurOnceAndAreKnown) {
  YamlMap map = Read("a: 1\n? [b]\n: 2\na: 3\nc: 4\nc: 5\n");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("a key must be a word, this is a list"),
                                      "p.yaml:4 a: this key occurs twice",
                                      "p.yaml:6 c: this key occurs twice"));
  EXPECT_EQ(map.String("a"), "1");
  EXPECT_FALSE(map.Has("b"));
  // At the mapping's place, since no key is named so; and past the key that is no word.
  map.Add("absent", "is wanted");
  map.Add("c", "is here");
  map.Finish();
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:1 absent: is wanted", "p.yaml:5 c: is here"));
  YamlMap unknown = Read("x: 1\nx: 2\n");
  Problems();
  unknown.Has("known");
  unknown.Finish();  // once for both
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:1 unknown key \"x\"; known here: known"));
}

TEST_F(YamlReader, OnlyPlainWordsAreTrueOrFalse) {
  YamlMap map = Read("a: true\nb: false\nquoted: \"true\"\nyes: yes\n");
  EXPECT_TRUE(map.Bool("a", false));
  EXPECT_FALSE(map.Bool("b", true));
  EXPECT_TRUE(map.Bool("absent", true));
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_FALSE(map.Bool("quoted", false));
  EXPECT_FALSE(map.Bool("yes", false));
  EXPECT_THAT(Problems(), ElementsAre("p.yaml:3 quoted: wants true or false, has \"true\"",
                                      "p.yaml:4 yes: wants true or false, has \"yes\""));
}

TEST_F(YamlReader, WordsMayBeQuotedButNotTagged) {
  YamlMap map = Read("plain: none\nquoted: \"none\"\ntagged: !other none\nlist: [none]\n");
  EXPECT_TRUE(map.IsWord("plain", "none"));
  EXPECT_TRUE(map.IsWord("quoted", "none"));
  EXPECT_FALSE(map.IsWord("tagged", "none"));
  EXPECT_FALSE(map.IsWord("list", "none"));
  EXPECT_FALSE(map.IsWord("plain", "some"));
  EXPECT_FALSE(map.IsWord("absent", "none"));
}

TEST_F(YamlReader, ErrorsQuoteNoMoreThanTheBeginning) {
  const std::string word(61, 'w');
  YamlMap map = Read(absl::StrCat("a: ", word, "\n"));
  map.Int("a", 0, 1, true, 0);
  EXPECT_THAT(Problems(), ElementsAre(absl::StrCat("p.yaml:1 a: wants a whole number, has \"",
                                                   word.substr(0, 60), "...\"")));
}

}  // namespace
}  // namespace steer
