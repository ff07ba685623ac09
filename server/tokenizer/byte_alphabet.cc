#include "server/tokenizer/byte_alphabet.h"

#include <array>

#include "common/utf8.h"

namespace steer::tok {
namespace {

struct Alphabet {
  std::array<uint16_t, 256> character{};
  std::array<int16_t, 512> byte{};  // -1 outside the alphabet
};

// Printable Latin-1 stands for itself, the other bytes take U+0100 onwards in order.
consteval Alphabet MakeAlphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte) byte = -1;
  uint16_t next = 0x100;
  for (uint16_t b = 0; b < 256; ++b) {
    bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    alphabet.character[b] = printable ? b : next++;
    alphabet.byte[alphabet.character[b]] = static_cast<int16_t>(b);
  }
  return alphabet;
}
constexpr Alphabet kAlphabet = MakeAlphabet();

// -1 outside the alphabet.
int ByteOf(uint32_t c) { return c < kAlphabet.byte.size() ? kAlphabet.byte[c] : -1; }

}  // namespace

void AppendByteCharacters(absl::string_view bytes, std::string* out) {
  for (char b : bytes) AppendUtf8(kAlphabet.character[static_cast<unsigned char>(b)], out);
}

void AppendCharacterBytes(absl::string_view token, std::string* out) {
  size_t before = out->size();
  for (size_t at = 0; at < token.size();) {
    int byte = ByteOf(NextCodePoint(token, &at));
    if (byte < 0) {
      out->resize(before);
      out->append(token.data(), token.size());
      return;
    }
    out->push_back(static_cast<char>(byte));
  }
}

bool IsByteAlphabet(absl::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (ByteOf(NextCodePoint(text, &at)) < 0) return false;
  }
  return true;
}

}  // namespace steer::tok
