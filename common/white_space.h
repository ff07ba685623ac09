// Unicode white space.
#ifndef STEER_COMMON_WHITE_SPACE_H_
#define STEER_COMMON_WHITE_SPACE_H_

#include <cstdint>

namespace steer {

// The property White_Space: TAB to CR, U+0085, and the categories Zs, Zl and Zp. One function for
// the prompt normal form, prompt files and the readout, so that client and server split text alike.
bool IsWhiteSpace(uint32_t code_point);

}  // namespace steer

#endif  // STEER_COMMON_WHITE_SPACE_H_
