// GPT-2's alphabet: every byte as a printable character, so that BPE can run over bytes as if they
// were text.
#ifndef STEER_SERVER_TOKENIZER_BYTE_ALPHABET_H_
#define STEER_SERVER_TOKENIZER_BYTE_ALPHABET_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace steer::tok {

// Appends the character of each byte.
void AppendByteCharacters(absl::string_view bytes, std::string* out);
// Appends the bytes that the characters of `token` stand for or, if one of them is not of the
// alphabet, the token as it is: what the library's ByteLevel decoder does with each token.
void AppendCharacterBytes(absl::string_view token, std::string* out);
// Whether every character of `text`, which must be valid UTF-8, is of the alphabet.
bool IsByteAlphabet(absl::string_view text);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_BYTE_ALPHABET_H_
