#include "client/data/prompt_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/digest.h"
#include "common/files.h"

namespace steer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

PromptSource Source(PromptFormat format, const std::string& field = "") {
  PromptSource source;
  source.file = "prompts";
  source.format = format;
  source.field = field;
  return source;
}

std::vector<std::string> Texts(const absl::StatusOr<PromptFile>& file) {
  EXPECT_TRUE(file.ok()) << file.status();
  std::vector<std::string> texts;
  if (file.ok()) {
    for (const PromptRow& row : file->kept) texts.push_back(row.text);
  }
  return texts;
}

std::string ErrorOf(const PromptSource& source, absl::string_view bytes) {
  auto file = ParsePrompts(source, bytes, "prompts");
  EXPECT_FALSE(file.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(file.status())) << file.status();
  return std::string(file.status().message());
}

TEST(Csv, ReadsQuotesLineEndsAndByteOrderMark) {
  const PromptSource source = Source(PromptFormat::kCsv, "goal");
  auto file = ParsePrompts(source,
                           "\xEF\xBB\xBFid,goal,note\r\n"
                           "1,name three rivers,x\r\n"
                           "2,\"name \"\"three\"\" lakes, please\",\"a\r\nb\"\r\n"
                           "3,\"two\nlines\",\n"
                           "4,  trimmed\t ,last",
                           "prompts");
  EXPECT_THAT(Texts(file), ElementsAre("name three rivers", "name \"three\" lakes, please",
                                       "two\nlines", "trimmed"));
  EXPECT_EQ(file->rows, 4);
  EXPECT_EQ(file->kept[3].row, 3);
}

TEST(Csv, NamesTheLineOfEveryMistake) {
  const PromptSource source = Source(PromptFormat::kCsv, "goal");
  EXPECT_THAT(ErrorOf(source, ""), HasSubstr("prompts: line 1: the file is empty"));
  EXPECT_THAT(ErrorOf(source, "text\nx\n"), HasSubstr("line 1: no column \"goal\""));
  EXPECT_THAT(ErrorOf(source, "goal,goal\nx,y\n"),
              HasSubstr("line 1: the column \"goal\" occurs twice"));
  EXPECT_THAT(ErrorOf(source, "goal,b\nx,y\n\"p\nq\",1,2\n"),
              HasSubstr("line 3: 3 fields where the header has 2"));
  EXPECT_THAT(ErrorOf(source, "goal,b\nx,y\n\nz,w\n"), HasSubstr("line 3: 1 fields"));
  EXPECT_THAT(ErrorOf(source, "goal\nok\nab\"c\n"),
              HasSubstr("line 3: a quote inside an unquoted field"));
  EXPECT_THAT(ErrorOf(source, "goal\n\"ab\" c\n"), HasSubstr("line 2: text after a closing quote"));
  EXPECT_THAT(ErrorOf(source, "goal\nok\n\"never\n\n"),
              HasSubstr("line 3: a quoted field is never closed"));
  EXPECT_THAT(ErrorOf(source, "goal\na\rb\n"), HasSubstr("line 2: a carriage return without"));
  EXPECT_THAT(ErrorOf(source, "goal\nok\n\xC3(\n"), HasSubstr("line 3: not valid UTF-8"));
}

TEST(Csv, FiltersByOtherColumnsAndCounts) {
  PromptSource source = Source(PromptFormat::kCsv, "instruction");
  source.filters = {{"input", "", true}, {"kind", "list", false}};
  auto file = ParsePrompts(source,
                           "instruction,input,kind\n"
                           "one, ,plain\ntwo,given,plain\nthree,,list\n  ,,plain\nfour,\" \n\",\n",
                           "prompts");
  EXPECT_THAT(Texts(file), ElementsAre("one", "four"));
  EXPECT_EQ(file->rows, 5);
  EXPECT_EQ(file->filtered, 2);
  EXPECT_EQ(file->blank, 1);
  source.filters = {{"imput", "", true}};
  EXPECT_THAT(ErrorOf(source, "instruction,input\na,b\n"), HasSubstr("no column \"imput\""));
}

TEST(Json, TakesObjectsOrStrings) {
  auto objects = ParsePrompts(
      Source(PromptFormat::kJson, "instruction"),
      R"([{"instruction": " a b "}, {"instruction": "", "x": 1}, {"instruction": "c\u00e9"}])",
      "prompts");
  EXPECT_THAT(Texts(objects), ElementsAre("a b", "c\xC3\xA9"));
  EXPECT_EQ(objects->blank, 1);
  EXPECT_EQ(objects->kept[1].row, 2);
  EXPECT_THAT(Texts(ParsePrompts(Source(PromptFormat::kJson), R"(["a", "b"])", "prompts")),
              ElementsAre("a", "b"));
}

TEST(Json, NamesTheElementOfEveryMistake) {
  const PromptSource keyed = Source(PromptFormat::kJson, "text");
  EXPECT_THAT(ErrorOf(keyed, "{\"text\": \"a\"}"), HasSubstr("not a JSON array"));
  EXPECT_THAT(ErrorOf(keyed, "[{\"text\": \"a\"}, {\"txt\": \"b\"}]"),
              HasSubstr("element 1: the key \"text\" is missing"));
  EXPECT_THAT(ErrorOf(keyed, "[{\"text\": 5}]"), HasSubstr("element 0: \"text\" is not a string"));
  EXPECT_THAT(ErrorOf(keyed, "[\"a\"]"), HasSubstr("element 0: not an object"));
  EXPECT_THAT(ErrorOf(Source(PromptFormat::kJson), "[\"a\", {\"text\": \"b\"}]"),
              HasSubstr("element 1: not a string"));
  EXPECT_THAT(ErrorOf(keyed, "[{\"text\": \"a\", \"text\": \"b\"}]"), HasSubstr("occurs twice"));
  EXPECT_THAT(ErrorOf(keyed, "[{\"text\": \"a\\u0000b\"}]"),
              HasSubstr("element 0: a prompt holds a NUL"));
  EXPECT_THAT(ErrorOf(keyed, "[{\"text\": "), HasSubstr("not valid JSON"));
  PromptSource filtered = keyed;
  filtered.filters = {{"input", "", true}};
  EXPECT_THAT(ErrorOf(filtered, "[{\"text\": \"a\"}]"),
              HasSubstr("element 0: the key \"input\" is missing"));
  EXPECT_THAT(ErrorOf(filtered, "[{\"text\": \"a\", \"input\": []}]"),
              HasSubstr("\"input\" is not a string"));
}

TEST(Json, FiltersCompareNumbersAndBooleansAsWritten) {
  PromptSource source = Source(PromptFormat::kJson, "text");
  source.filters = {{"level", "3", true}, {"draft", "true", false}};
  EXPECT_THAT(
      Texts(ParsePrompts(
          source,
          R"([{"text": "a", "level": 3, "draft": false}, {"text": "b", "level": 4, "draft": false},
                                     {"text": "c", "level": 3, "draft": true}])",
          "prompts")),
      ElementsAre("a"));
}

TEST(JsonLines, SkipsBlankLinesAndNamesTheLine) {
  const PromptSource source = Source(PromptFormat::kJsonl, "prompt");
  auto file = ParsePrompts(source, "{\"prompt\": \"a\"}\r\n\n{\"prompt\": \"b\"}\n", "prompts");
  EXPECT_THAT(Texts(file), ElementsAre("a", "b"));
  EXPECT_EQ(file->kept[1].row, 1);
  EXPECT_THAT(ErrorOf(source, "{\"prompt\": \"a\"}\n\n{\"prompt\": }\n"),
              HasSubstr("prompts: line 3: not valid JSON"));
  EXPECT_THAT(ErrorOf(source, "{\"prompt\": \"a\"}\n\"b\"\n"), HasSubstr("line 2: not an object"));
}

TEST(Text, TakesLines) {
  auto file = ParsePrompts(Source(PromptFormat::kText),
                           "\xEF\xBB\xBF"
                           "first\r\n\n \xC2\xA0 \n second \nthird",
                           "prompts");
  EXPECT_THAT(Texts(file), ElementsAre("first", "second", "third"));
  EXPECT_EQ(file->rows, 5);
  EXPECT_EQ(file->blank, 2);
  EXPECT_EQ(file->kept[2].row, 4);
  EXPECT_EQ(ParsePrompts(Source(PromptFormat::kText), "", "prompts")->rows, 0);
  EXPECT_THAT(ErrorOf(Source(PromptFormat::kText), std::string("a\nb\0c\n", 6)),
              HasSubstr("line 2: a prompt holds a NUL"));
}

TEST(Prompts, LengthLimitsCountCodePoints) {
  PromptSource source = Source(PromptFormat::kText);
  source.min_characters = 3;
  source.max_characters = 4;
  auto file = ParsePrompts(source, "\xC3\xA9\xC3\xA9\xC3\xA9\nab\nabcd\nabcde\n", "prompts");
  EXPECT_THAT(Texts(file), ElementsAre("\xC3\xA9\xC3\xA9\xC3\xA9", "abcd"));
  EXPECT_EQ(file->filtered, 2);
}

TEST(Prompts, OverTheContractsSizeAreRefusedByLineAndNeverQuoted) {
  const std::string longest(kMaxPromptBytes, 'q');
  EXPECT_TRUE(ParsePrompts(Source(PromptFormat::kText), longest, "prompts").ok());
  const std::string error = ErrorOf(Source(PromptFormat::kText), "a\n" + longest + "q\n");
  EXPECT_THAT(error, HasSubstr("line 2: a prompt of 32769 bytes"));
  EXPECT_THAT(error, Not(HasSubstr("qqq")));
}

TEST(Files, AreReadUnderTheDataRoot) {
  std::string folder = ::testing::TempDir() + "steer-data-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ASSERT_TRUE(WriteFileAtomically(folder + "/prompts", "a\nb\n").ok());
  auto file = ReadPromptFile(Source(PromptFormat::kText), folder);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->sha256, Sha256Hex("a\nb\n"));
  EXPECT_EQ(file->bytes, 4);
  auto missing = ReadPromptFile(Source(PromptFormat::kText), folder + "/none");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("/none/prompts: no such file; --data-root"));
  std::filesystem::remove_all(folder);
}

TEST(Formats, HaveNames) {
  for (const char* name : {"csv", "json", "jsonl", "text"}) {
    auto format = ParsePromptFormat(name);
    ASSERT_TRUE(format.ok());
    EXPECT_EQ(PromptFormatName(*format), name);
  }
  EXPECT_THAT(std::string(ParsePromptFormat("xml").status().message()),
              HasSubstr("csv, json, jsonl, text"));
}

}  // namespace
}  // namespace steer
