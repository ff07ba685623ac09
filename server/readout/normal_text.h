// Character classes and case folding that the text rules share. Pure functions, by utf8proc.
#ifndef STEER_SERVER_READOUT_NORMAL_TEXT_H_
#define STEER_SERVER_READOUT_NORMAL_TEXT_H_

#include <cstdint>
#include <string>

namespace steer {

// Letters, numbers and marks (categories L, N and M).
bool IsWordCharacter(uint32_t c);
// Cased letters and decimal digits (Lu, Ll, Lt, Nd): the alphabets that put spaces between words.
bool IsAlphabetic(uint32_t c);
// ' and the characters written for it: U+2019, U+2018, U+02BC, U+00B4. The grave accent is not one
// here, because markdown uses it.
bool IsApostrophe(uint32_t c);
// Appends the full case folding of `c` (Unicode CaseFolding, C and F), UTF-8.
void AppendCaseFolded(uint32_t c, std::string* out);

}  // namespace steer

#endif  // STEER_SERVER_READOUT_NORMAL_TEXT_H_
