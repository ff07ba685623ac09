// UTF-8 steps. All functions are pure.
#ifndef STEER_COMMON_UTF8_H_
#define STEER_COMMON_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer {

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsValidUtf8(absl::string_view text);

// Length of the longest prefix that is whole, valid characters. Bytes after it are invalid or an
// unfinished character.
size_t ValidUtf8Prefix(absl::string_view text);

// True if `tail` could be the start of one valid character (and is not one yet).
bool IsUnfinishedUtf8(absl::string_view tail);

// Decodes one code point at `*offset` and moves past it; U+FFFD (one byte consumed) where invalid.
uint32_t NextCodePoint(absl::string_view text, size_t* offset);
void AppendUtf8(uint32_t code_point, std::string* out);
std::vector<uint32_t> ToCodePoints(absl::string_view text);
size_t CountCodePoints(absl::string_view text);

// The first `count` code points.
absl::string_view Utf8Prefix(absl::string_view text, size_t count);

}  // namespace steer

#endif  // STEER_COMMON_UTF8_H_
