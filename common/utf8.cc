#include "common/utf8.h"

#include <algorithm>

namespace steer {
namespace {

// Bytes of the valid character at the start of `s`, 0 if there is none.
size_t CharacterLength(absl::string_view s, uint32_t* code_point) {
  if (s.empty()) return 0;
  auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  unsigned char b0 = byte(0);
  if (b0 < 0x80) {
    *code_point = b0;
    return 1;
  }
  size_t length = b0 >= 0xF0 && b0 <= 0xF4  ? 4
                  : b0 >= 0xE0 && b0 < 0xF0 ? 3
                  : b0 >= 0xC2 && b0 < 0xE0 ? 2
                                            : 0;
  if (length == 0 || s.size() < length) return 0;
  uint32_t value = b0 & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3F);
  }
  if (length == 3 && (value < 0x800 || (value >= 0xD800 && value <= 0xDFFF))) return 0;
  if (length == 4 && (value < 0x10000 || value > 0x10FFFF)) return 0;
  *code_point = value;
  return length;
}

}  // namespace

size_t ValidUtf8Prefix(absl::string_view text) {
  size_t at = 0;
  uint32_t code_point;
  while (at < text.size()) {
    size_t length = CharacterLength(text.substr(at), &code_point);
    if (length == 0) break;
    at += length;
  }
  return at;
}

bool IsValidUtf8(absl::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

bool IsUnfinishedUtf8(absl::string_view tail) {
  if (tail.empty() || tail.size() > 3) return false;
  // Unfinished if some continuation makes it whole; the second byte decides about overlong forms
  // and surrogates.
  for (unsigned char fill : {0x80, 0x90, 0xBF}) {
    std::string whole(tail);
    uint32_t code_point;
    while (whole.size() < 4) {
      whole.push_back(static_cast<char>(fill));
      if (CharacterLength(whole, &code_point) == whole.size()) return true;
    }
  }
  return false;
}

uint32_t NextCodePoint(absl::string_view text, size_t* offset) {
  uint32_t code_point = 0xFFFD;
  size_t length = CharacterLength(text.substr(*offset), &code_point);
  *offset += std::max<size_t>(length, 1);
  return length == 0 ? 0xFFFD : code_point;
}

void AppendUtf8(uint32_t c, std::string* out) {
  auto push = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | c >> 6);
    push(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    push(0xE0 | c >> 12);
    push(0x80 | (c >> 6 & 0x3F));
    push(0x80 | (c & 0x3F));
  } else {
    push(0xF0 | c >> 18);
    push(0x80 | (c >> 12 & 0x3F));
    push(0x80 | (c >> 6 & 0x3F));
    push(0x80 | (c & 0x3F));
  }
}

std::vector<uint32_t> ToCodePoints(absl::string_view text) {
  std::vector<uint32_t> points;
  points.reserve(text.size());
  for (size_t at = 0; at < text.size();) points.push_back(NextCodePoint(text, &at));
  return points;
}

size_t CountCodePoints(absl::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) NextCodePoint(text, &at);
  return count;
}

absl::string_view Utf8Prefix(absl::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) NextCodePoint(text, &at);
  return text.substr(0, at);
}

}  // namespace steer
