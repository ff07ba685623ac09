// What JSON text and typed access refuse, and that the error says what and where.
#include "common/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

#include "absl/strings/str_cat.h"

namespace steer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <typename T>
std::string Message(const absl::StatusOr<T>& result) {
  return std::string(result.status().message());
}

TEST(JsonText, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(Message(ParseJson("{\"a\": 1,\n \"b\": tru}")),
              AllOf(StartsWith("not valid JSON: "), HasSubstr("line 2, column 10")));
  EXPECT_THAT(Message(ParseJson("")), HasSubstr("line 1"));
  EXPECT_THAT(Message(ParseJson(R"({"left": {"a": 1}, "right": {"a": 1, "a": 2}})")),
              HasSubstr("the key \"a\" occurs twice in one object"));
  // Both ends of double's range: the parser must not make an infinity of one.
  EXPECT_THAT(Message(ParseJson("[1e309]")), HasSubstr("number overflow parsing '1e309'"));
  EXPECT_THAT(Message(ParseJson("[-1e309]")), HasSubstr("'-1e309'"));
  EXPECT_EQ(*ParseJson("1.7976931348623157e308"), Json(std::numeric_limits<double>::max()));
  EXPECT_EQ(*ParseJson("1e-400"), Json(0.0));
}

TEST(JsonText, MayBeNestedToTheLimitAndNoFurther) {
  const auto nested = [](int depth, const char* open, const char* close) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += open;
    text += "null";
    for (int i = 0; i < depth; ++i) text += close;
    return text;
  };
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    EXPECT_TRUE(ParseJson(nested(kMaxJsonDepth, open, close)).ok());
    EXPECT_THAT(Message(ParseJson(nested(kMaxJsonDepth + 1, open, close))),
                HasSubstr(absl::StrCat("nested deeper than ", kMaxJsonDepth)));
  }
  // Depth is of what is open, not of what was: neighbours do not add up.
  std::string wide = "[[]";
  for (int i = 0; i < 2 * kMaxJsonDepth; ++i) wide += ",[],{\"a\":{}}";
  EXPECT_TRUE(ParseJson(wide + "]").ok());
}

TEST(JsonText, HasAllKindsOfValues) {
  const Json value = *ParseJson(R"([null, true, false, -3, 18446744073709551615, 0.5, "x", {}])");
  EXPECT_EQ(value.dump(), R"([null,true,false,-3,18446744073709551615,0.5,"x",{}])");
  const OrderedJson ordered = *ParseOrderedJson(R"({"b": 1, "a": 2})");
  EXPECT_EQ(ordered.dump(), R"({"b":1,"a":2})");
}

TEST(JsonText, IsWrittenOnlyIfItCanBeReadBack) {
  EXPECT_THAT(Message(CanonicalJson(Json{{"a", Json::array({1, std::nan("")})}})),
              HasSubstr("not finite"));
  EXPECT_THAT(Message(CanonicalJson(Json{{"a", "\xff"}})), HasSubstr("cannot be written as JSON"));
}

TEST(JsonFiles, NameThePath) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/json_test.", getpid(), ".json");
  std::ofstream(path) << "{\"a\": 1}";
  auto good = ReadJsonFile(path);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ((*good)["a"], 1);
  std::ofstream(path) << "{\"a\": }";
  auto bad = ReadJsonFile(path);
  EXPECT_TRUE(absl::IsInvalidArgument(bad.status()));
  EXPECT_THAT(Message(bad), StartsWith(absl::StrCat(path, ": not valid JSON: ")));
  std::remove(path.c_str());
  EXPECT_TRUE(absl::IsNotFound(ReadJsonFile(path).status()));
}

TEST(JsonFields, AreOfTheirTypeOrRefused) {
  const Json object = *ParseJson(
      R"({"int": -7, "most": 9223372036854775807, "more": 9223372036854775808, "real": 2.5,
          "whole": 2.0, "yes": true, "text": "7", "none": null})");
  EXPECT_EQ(*JsonInt(object, "int", "f"), -7);
  EXPECT_EQ(*JsonInt(object, "most", "f"), std::numeric_limits<int64_t>::max());
  // One more would turn negative.
  for (const char* key : {"more", "real", "whole", "yes", "text", "none"}) {
    EXPECT_EQ(Message(JsonInt(object, key, "f")),
              absl::StrCat("f: \"", key, "\" is not an integer"));
  }
  EXPECT_EQ(*JsonNumber(object, "real", "f"), 2.5);
  EXPECT_EQ(*JsonNumber(object, "int", "f"), -7.0);
  EXPECT_EQ(Message(JsonNumber(object, "text", "f")), "f: \"text\" is not a number");
  EXPECT_EQ(*JsonBool(object, "yes", "f"), true);
  EXPECT_EQ(Message(JsonBool(object, "int", "f")), "f: \"int\" is not true or false");
  EXPECT_EQ(*JsonString(object, "text", "f"), "7");
  EXPECT_EQ(Message(JsonString(object, "none", "f")), "f: \"none\" is not a string");
}

TEST(JsonFields, AreThere) {
  const Json empty = Json::object();
  EXPECT_EQ(Message(JsonInt(empty, "a", "f")), "f: \"a\" is missing");
  EXPECT_EQ(Message(JsonNumber(empty, "a", "f")), "f: \"a\" is missing");
  EXPECT_EQ(Message(JsonBool(empty, "a", "f")), "f: \"a\" is missing");
  EXPECT_EQ(Message(JsonString(empty, "a", "f")), "f: \"a\" is missing");
  EXPECT_EQ(Message(JsonString(Json::array(), "a", "f")), "f: not a JSON object");
}

}  // namespace
}  // namespace steer
