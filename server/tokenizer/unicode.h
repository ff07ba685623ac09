// The character classes and normal forms of the `tokenizers` library. All functions are pure.
#ifndef STEER_SERVER_TOKENIZER_UNICODE_H_
#define STEER_SERVER_TOKENIZER_UNICODE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/tokenizer/unicode_tables.h"

namespace steer::tok {

// White_Space, which is also the library's \s.
inline constexpr CodePointRange kWhitespace[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};

bool IsWhitespace(uint32_t code_point);
// What Digits splits on: any decimal, letter or other number.
bool IsNumeric(uint32_t code_point);
// \w of the engine that decides single_word: letters, marks, decimal digits, connectors and what
// else is alphabetic.
bool IsWordCharacter(uint32_t code_point);
void AppendLowercase(uint32_t code_point, std::string* out);

// Code points that the library's \p{<category>} holds and Unicode 14's does not. `category` is one
// letter or two.
std::vector<CodePointRange> CategoryAdditions(absl::string_view category);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
// `text` must be valid UTF-8. Time n log n whatever the marks.
std::string Normalize(NormalForm form, absl::string_view text);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_UNICODE_H_
