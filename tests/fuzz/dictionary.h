// Dictionaries in libFuzzer's form, for driver.cc.
#ifndef STEER_TESTS_FUZZ_DICTIONARY_H_
#define STEER_TESTS_FUZZ_DICTIONARY_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer::fuzz {

// Words of lines `"word"` or `name="word"`, with \", \\ and \xNN; empty lines and those that start with '#' are left out.
std::vector<std::string> ParseDictionary(absl::string_view text);

}  // namespace steer::fuzz

#endif  // STEER_TESTS_FUZZ_DICTIONARY_H_
