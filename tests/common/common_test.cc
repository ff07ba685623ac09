#include "common/philox.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/prompt_form.h"
#include "common/utf8.h"

namespace steer {
namespace {

// Known answers of the reference implementation (Random123, kat_vectors, philox4x32 10).
TEST(Philox, EqualsTheReferenceVectors) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, NormalHasItsMoments) {
  PhiloxStream stream(7, 3);
  double sum = 0, squares = 0;
  const int n = 200000;
  for (int i = 0; i < n; ++i) {
    double x = stream.Normal(i);
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
}

TEST(Philox, SampleIsAPermutationPrefix) {
  auto sample = SampleWithoutReplacement(PhiloxStream(1, 2), 100, 100);
  EXPECT_EQ(std::set<size_t>(sample.begin(), sample.end()).size(), 100u);
  EXPECT_EQ(SampleWithoutReplacement(PhiloxStream(1, 2), 100, 10),
            std::vector<size_t>(sample.begin(), sample.begin() + 10));
}

TEST(Json, RefusesWhatTheLibraryLetsThrough) {
  EXPECT_FALSE(ParseJson(R"({"a":1,"a":2})").ok());
  EXPECT_FALSE(ParseJson("[1e999]").ok());
  EXPECT_FALSE(ParseJson(std::string(200000, '[')).ok());
  EXPECT_FALSE(ParseJson("{} x").ok());
  EXPECT_FALSE(ParseJson(absl::string_view("{}\0", 3)).ok());
  EXPECT_FALSE(ParseJson(absl::string_view("{}\0 {\"a\": 1", 11)).ok());
  EXPECT_FALSE(ParseOrderedJson(absl::string_view("7\0x", 3)).ok());
  EXPECT_TRUE(ParseJson("\"\\u0000\"").ok());
  EXPECT_FALSE(ParseJson("\"\xff\"").ok());
  EXPECT_TRUE(ParseJson(R"({"a":{"b":[1,2.5,"x"]}})").ok());
  EXPECT_EQ(*CanonicalJson(*ParseJson(R"({"b": 1, "a": 0.1})")), R"({"a":0.1,"b":1})");
  EXPECT_FALSE(CanonicalJson(Json(std::nan(""))).ok());
}

TEST(PromptForm, FoldsCaseSpaceAndCompatibility) {
  EXPECT_EQ(*PromptNormalForm("  List \t three\nFRUITS\u00a0now "), "list three fruits now");
  EXPECT_EQ(*PromptNormalForm("\uff21\ufb01"), "afi");
  EXPECT_EQ(*PromptNormalForm("e\u0301"), "\u00e9");
  EXPECT_FALSE(PromptNormalForm("\xc3").ok());
  EXPECT_EQ(*PromptHash("Abc"), *PromptHash(" abc"));
}

TEST(Utf8, KnowsValidUnfinishedAndInvalid) {
  EXPECT_TRUE(IsValidUtf8("a\u00e9\u4e2d\U0001f600"));
  EXPECT_FALSE(IsValidUtf8("\xc0\x80"));
  EXPECT_FALSE(IsValidUtf8("\xed\xa0\x80"));
  EXPECT_FALSE(IsValidUtf8("\xf4\x90\x80\x80"));
  EXPECT_TRUE(IsUnfinishedUtf8("\xf0\x9f\x98"));
  EXPECT_TRUE(IsUnfinishedUtf8("\xe0"));
  EXPECT_FALSE(IsUnfinishedUtf8("\xed\xa0"));
  EXPECT_FALSE(IsUnfinishedUtf8("\x80"));
  EXPECT_FALSE(IsUnfinishedUtf8("a"));
  EXPECT_EQ(Utf8Prefix("\u00e9\u00e9\u00e9", 2), "\u00e9\u00e9");
}

TEST(Errors, CarryReasonViolationsAndDelay) {
  ViolationList list;
  EXPECT_TRUE(list.ToStatus().ok());
  list.Add("a[0].b", "must be at least ", 1);
  list.Add("c", "is missing");
  absl::Status status = Annotate(WithRetryDelay(list.ToStatus(), absl::Seconds(2)), "plan.yaml");
  EXPECT_EQ(ReasonOf(status), "INVALID_REQUEST");
  EXPECT_EQ(ViolationsOf(status), list.violations());
  EXPECT_EQ(*RetryDelayOf(status), absl::Seconds(2));
  EXPECT_EQ(status.message(), "plan.yaml: a[0].b: must be at least 1; c: is missing");
}

TEST(Files, AtomicWriteReplacesAndLeavesNothing) {
  std::string folder = testing::TempDir() + "/steer_files";
  ASSERT_TRUE(MakeFolders(folder).ok());
  std::string path = folder + "/x";
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ((*MappedFile::Open(path))->bytes(), "two");
  EXPECT_FALSE(WriteFileAtomically(folder + "/no/x", "x").ok());
  EXPECT_TRUE(absl::IsNotFound(ReadFile(folder + "/absent").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(path, 2).status()));
  EXPECT_FALSE(ReadFile(folder).ok());
}

TEST(Digest, FieldsAreLengthPrefixed) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_NE(Sha256().Field("ab").Field("c").Hex(), Sha256().Field("a").Field("bc").Hex());
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("")));
  EXPECT_FALSE(IsSha256Hex("ABC"));
}

}  // namespace
}  // namespace steer
