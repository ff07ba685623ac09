// Every code point: the classes of patterns, and the normal forms, are those of the `tokenizers`
// library and not of PCRE2 or utf8proc.
#include <set>

#include "server/tokenizer/regex.h"
#include "server/tokenizer/unicode.h"
#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer::tok {
namespace {

std::vector<bool> Members(const Json& ranges) {
  std::vector<bool> in(0x110000);
  for (const Json& range : ranges) {
    for (uint32_t c = range[0]; c <= range[1].get<uint32_t>(); ++c) in[c] = true;
  }
  return in;
}

template <typename Predicate>
void ExpectMembers(const Json& ranges, const Predicate& holds) {
  std::vector<bool> want = Members(ranges);
  int wrong = 0;
  for (uint32_t c = 0; c < 0x110000 && wrong < 5; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    if (holds(c) != want[c]) {
      ++wrong;
      ADD_FAILURE() << "U+" << std::hex << c << (want[c] ? " is missing" : " is too many");
    }
  }
}

TEST(UnicodeTest, ClassesOfPatterns) {
  Json classes = GoldenJson("unicode.json")["classes"];
  std::string all;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c > 0xDFFF) AppendUtf8(c, &all);
  }
  for (const auto& item : classes.items()) {
    // Not a structured binding: clang 14 captures none.
    const std::string& regex = item.key();
    const auto& ranges = item.value();
    if (regex[0] != '\\') continue;
    std::string lower = regex;
    lower[1] = regex[1] == 'p' ? 'P' : 'S';
    // As they stand, in a class, in a negated class, and negated themselves.
    for (const std::string& pattern : {regex, "[!" + regex + "]", "[^" + regex + "]", lower}) {
      SCOPED_TRACE(pattern);
      bool negated = pattern[0] == '[' ? pattern[1] == '^' : pattern == lower;
      auto compiled = Pattern::CompileRegex(pattern);
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      std::vector<Span> spans;
      ASSERT_TRUE((*compiled)->Find(all, &spans).ok());
      std::vector<bool> matched(0x110000);
      for (const Span& span : spans) {
        for (size_t at = span.begin; span.is_match && at < span.end;)
          matched[NextCodePoint(all, &at)] = true;
      }
      ExpectMembers(ranges, [&](uint32_t c) {
        bool extra = c == '!' && pattern[1] == '!';
        return extra ? Members(ranges)[c] : matched[c] != negated;
      });
    }
  }
}

TEST(UnicodeTest, Predicates) {
  Json classes = GoldenJson("unicode.json")["classes"];
  ExpectMembers(classes["numeric"], IsNumeric);
  ExpectMembers(classes["word"], IsWordCharacter);
  ExpectMembers(classes["\\s"], IsWhitespace);
}

TEST(UnicodeTest, NormalFormsAndLowerCase) {
  Json forms = GoldenJson("unicode.json")["forms"];
  for (uint32_t block = 0; block < 1088; ++block) {
    std::string text;
    for (uint32_t c = block * 1024; c < (block + 1) * 1024; ++c) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      std::string s;
      AppendUtf8(c, &s);
      text += "a\u0301" + s + "\u0334e" + s + "\u0316\u0301 " + s + "\u0345" + s + "|";
    }
    std::string lower;
    for (size_t at = 0; at < text.size();) AppendLowercase(NextCodePoint(text, &at), &lower);
    auto expect = [&](const char* name, const std::string& got) {
      EXPECT_EQ(Checksum(got), forms[name][block].get<uint32_t>())
          << name << " from U+" << std::hex << block * 1024;
    };
    expect("NFC", Normalize(NormalForm::kNfc, text));
    expect("NFD", Normalize(NormalForm::kNfd, text));
    expect("NFKC", Normalize(NormalForm::kNfkc, text));
    expect("NFKD", Normalize(NormalForm::kNfkd, text));
    expect("Lowercase", lower);
  }
}

}  // namespace
}  // namespace steer::tok
