// Bytes that arrive in parts, as text: each maximal part of a broken character becomes one U+FFFD
// (what Rust's from_utf8_lossy and the Unicode standard, section 3.9, do). Not thread-safe.
#ifndef STEER_SERVER_TOKENIZER_LOSSY_UTF8_H_
#define STEER_SERVER_TOKENIZER_LOSSY_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace steer::tok {

class LossyUtf8 {
 public:
  // Appends to `out` what no later byte can change; at most three bytes stay behind.
  void Push(absl::string_view bytes, std::string* out);
  // The bytes that stayed behind, as one U+FFFD.
  void Finish(std::string* out);

 private:
  std::string pending_;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_LOSSY_UTF8_H_
