// What a target leaves out so that every run stays fast. The product's own limits are tried by its unit tests.
#ifndef STEER_TESTS_FUZZ_LIMITS_H_
#define STEER_TESTS_FUZZ_LIMITS_H_

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace steer::fuzz {

// True if some number in `text` has more than `digits` digits: allowed, but it makes a table or a loop of that size.
inline bool HasLongNumber(absl::string_view text, int digits) {
  int run = 0;
  for (const char c : text) {
    run = absl::ascii_isdigit(static_cast<unsigned char>(c)) ? run + 1 : 0;
    if (run > digits) return true;
  }
  return false;
}

}  // namespace steer::fuzz

#endif  // STEER_TESTS_FUZZ_LIMITS_H_
