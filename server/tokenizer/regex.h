// A compiled pattern in the `tokenizers` library's dialect. Immutable after Compile; every const
// method may be called from any thread.
#ifndef STEER_SERVER_TOKENIZER_REGEX_H_
#define STEER_SERVER_TOKENIZER_REGEX_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer::tok {

// A part of a text, in bytes. The spans of one search cover the text in order; a match may be
// empty.
struct Span {
  size_t begin, end;
  bool is_match;
};

class Pattern {
 public:
  // INVALID_ARGUMENT if the pattern is malformed or uses what ToPcre2 refuses.
  static absl::StatusOr<std::shared_ptr<const Pattern>> CompileRegex(absl::string_view regex);
  // Finds `literal` itself, which must not be empty.
  static absl::StatusOr<std::shared_ptr<const Pattern>> CompileLiteral(absl::string_view literal);
  virtual ~Pattern() = default;

  // Matches and what lies between them, leftmost first. `text` must be valid UTF-8.
  // RESOURCE_EXHAUSTED beyond the match limit, which grows with the text: 10 million steps and 64 a
  // byte.
  virtual absl::Status Find(absl::string_view text, std::vector<Span>* spans) const = 0;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_REGEX_H_
