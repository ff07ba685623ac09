// Patterns: what the dialect translates, and what a search does at its limits and without memory.
#include "server/tokenizer/regex.h"

#include <dlfcn.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/errors.h"
#include "tests/server/tokenizer/tokenizer_golden.h"

// Every call of PCRE2 that takes memory, in front of the library's own: the one that `refused` names gets none.
namespace {
std::string refused;

template <typename Function>
auto Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
}  // namespace

extern "C" {
pcre2_compile_context* pcre2_compile_context_create(pcre2_general_context* general) {
  if (refused == "compile context") return nullptr;
  return Real<decltype(pcre2_compile_context_create)>("pcre2_compile_context_create_8")(general);
}
pcre2_match_context* pcre2_match_context_create(pcre2_general_context* general) {
  if (refused == "match context") return nullptr;
  return Real<decltype(pcre2_match_context_create)>("pcre2_match_context_create_8")(general);
}
pcre2_match_data* pcre2_match_data_create(uint32_t pairs, pcre2_general_context* general) {
  if (refused == "match data") return nullptr;
  return Real<decltype(pcre2_match_data_create)>("pcre2_match_data_create_8")(pairs, general);
}
pcre2_jit_stack* pcre2_jit_stack_create(size_t start, size_t most, pcre2_general_context* general) {
  if (refused == "stack") return nullptr;
  return Real<decltype(pcre2_jit_stack_create)>("pcre2_jit_stack_create_8")(start, most, general);
}
}

namespace steer::tok {
namespace {

// The matches of `regex` in `text`, each in brackets.
std::string Marked(absl::string_view regex, absl::string_view text) {
  auto pattern = Pattern::CompileRegex(regex);
  if (!pattern.ok()) return pattern.status().ToString();
  std::vector<Span> spans;
  EXPECT_TRUE((*pattern)->Find(text, &spans).ok());
  std::string out;
  for (const Span& span : spans) {
    const auto part = text.substr(span.begin, span.end - span.begin);
    absl::StrAppend(&out, span.is_match ? "[" : "", part, span.is_match ? "]" : "");
  }
  return out;
}

TEST(PatternTest, DialectOfTheLibrary) {
  EXPECT_EQ(Marked("[-a]+", "a-b"), "[a-]b");
  EXPECT_EQ(Marked("[^-a]+", "a-b"), "a-[b]");
  EXPECT_EQ(Marked("\\x{E000}", "\ue000a"), "[\ue000]a");
  EXPECT_EQ(Marked("[a-\\x{66}]+", "fgz"), "[f]gz");
  EXPECT_EQ(Marked("\\D+", "a1b"), "[a]1[b]");
  EXPECT_EQ(Marked("\\a", "x\ay"), "x[\a]y");
  EXPECT_EQ(Marked("\\e", "x\x1by"), "x[\x1b]y");
  EXPECT_EQ(Marked("(?i:(?:Ab))", "xABy"), "x[AB]y");
  EXPECT_EQ(Marked("a{,2}b", "aaab"), "a[aab]");
  EXPECT_EQ(Marked("a{2,}", "aaaa"), "[aaaa]");
}

void ExpectExhausted(const absl::Status& status, absl::string_view named) {
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), named)) << status;
}

TEST(PatternTest, GivesUpAtItsLimit) {
  auto pattern = Pattern::CompileRegex("(?:(?:a|aa)+)+[^a]");
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  std::vector<Span> spans;
  absl::Status status = (*pattern)->Find(std::string(5000, 'a'), &spans);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

// One match that backtracks deeper than the thread's own 32 KiB allow.
TEST(PatternTest, LongMatchesOfGroups) {
  auto pattern = Pattern::CompileRegex("(?:ab|c)+");
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "abc";
  std::vector<Span> spans;
  ASSERT_TRUE((*pattern)->Find(text + "x" + text, &spans).ok());
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[0].end, text.size());
  EXPECT_EQ(spans[2].end, 2 * text.size() + 1);
  EXPECT_FALSE(spans[1].is_match);
}

// One match that backtracks deeper than 8 MiB of stack.
TEST(PatternTest, AMatchThatTheStackCannotHold) {
  auto pattern = Pattern::CompileRegex("(?:ab|c)+");
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  std::string text;
  for (int i = 0; i < 1000000; ++i) text += "abc";
  std::vector<Span> spans;
  const absl::Status status = (*pattern)->Find(text, &spans);
  ExpectExhausted(status, "gave up at byte 0 of the text");
  EXPECT_EQ(ReasonOf(status), "TOKENIZER_PATTERN_LIMIT");
}

TEST(PatternTest, NoMemory) {
  auto pattern = Pattern::CompileRegex("(?:ab|c)+");
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "abc";
  for (const char* call : {"match context", "match data", "stack"}) {
    SCOPED_TRACE(call);
    std::vector<Span> spans;
    refused = call;
    const absl::Status status = (*pattern)->Find(text, &spans);
    refused.clear();
    ExpectExhausted(status, "no memory for a regex search");
    EXPECT_TRUE((*pattern)->Find(text, &spans).ok());
  }
  refused = "compile context";
  const absl::Status status = Pattern::CompileRegex("a").status();
  refused.clear();
  ExpectExhausted(status, "no memory for a pattern");
}

const char kFile[] = R"({
  "added_tokens": [{"id": 1, "content": "CONTENT", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": true}],
  "normalizer": NORMALIZER, "pre_tokenizer": PRE_TOKENIZER, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})";

absl::StatusOr<std::shared_ptr<const Tokenizer>> WithNodes(absl::string_view normalizer,
                                                           absl::string_view pre_tokenizer,
                                                           absl::string_view content = "<e>") {
  return Tokenizer::FromJson(absl::StrReplaceAll(kFile, {{"NORMALIZER", normalizer},
                                                         {"PRE_TOKENIZER", pre_tokenizer},
                                                         {"CONTENT", content}}),
                             "dir/tokenizer.json");
}

// Takes time that doubles with each further character.
const char kSlow[] = R"({"Regex": "(?:(?:a|aa)+)+[^a]"})";

TEST(PatternTest, EveryNodeHandsItsErrorOn) {
  const std::string text(5000, 'a');
  const std::string replace =
      absl::StrCat(R"({"type": "Replace", "content": "b", "pattern": )", kSlow, "}");
  const std::string split = absl::StrCat(
      R"({"type": "Split", "behavior": "Isolated", "invert": false, "pattern": )", kSlow, "}");
  auto sequence = [](absl::string_view name, absl::string_view part) {
    return absl::StrCat(R"({"type": "Sequence", ")", name, "\": [", part, "]}");
  };
  for (auto [normalizer, pre_tokenizer] : {std::make_pair(replace, std::string("null")),
                                           {sequence("normalizers", replace), "null"},
                                           {"null", split},
                                           {"null", sequence("pretokenizers", split)}}) {
    SCOPED_TRACE(normalizer + pre_tokenizer);
    auto tokenizer = WithNodes(normalizer, pre_tokenizer);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_TRUE((*tokenizer)->Encode("aab").ok());
    ExpectExhausted((*tokenizer)->Encode(text).status(),
                    "a pattern of the tokenizer gave up at byte 0");
  }
  ExpectExhausted(WithNodes(replace, "null", text).status(),
                  "dir/tokenizer.json: a pattern of the tokenizer gave up");
}

TEST(PatternTest, ByteLevelsOwnPatternWithoutMemory) {
  const char kByteLevel[] = R"({"type": "ByteLevel", "add_prefix_space": false})";
  refused = "compile context";
  const absl::Status created = WithNodes("null", kByteLevel).status();
  refused.clear();
  ExpectExhausted(created, "dir/tokenizer.json: no memory for a pattern");
  auto tokenizer = WithNodes("null", kByteLevel);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  refused = "match data";
  const absl::Status searched = (*tokenizer)->Encode("a").status();
  refused.clear();
  ExpectExhausted(searched, "no memory for a regex search");
}

}  // namespace
}  // namespace steer::tok
