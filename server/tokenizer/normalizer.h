// What happens to text before it is split: the "normalizer" node.
#ifndef STEER_SERVER_TOKENIZER_NORMALIZER_H_
#define STEER_SERVER_TOKENIZER_NORMALIZER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tokenizer/node.h"

namespace steer::tok {

// Immutable; Apply may be called from any thread.
class Normalizer {
 public:
  // NFC, NFD, NFKC, NFKD, Lowercase, Strip, Replace, Prepend, ByteLevel, Sequence, or null for
  // none.
  static absl::StatusOr<std::unique_ptr<const Normalizer>> Create(const Node& node);
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8 before and after. RESOURCE_EXHAUSTED if a pattern exceeds its match
  // limit.
  virtual absl::Status Apply(std::string* text) const = 0;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_NORMALIZER_H_
