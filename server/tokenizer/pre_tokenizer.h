// How text is split into the words that BPE works on: the "pre_tokenizer" node.
#ifndef STEER_SERVER_TOKENIZER_PRE_TOKENIZER_H_
#define STEER_SERVER_TOKENIZER_PRE_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tokenizer/node.h"

namespace steer::tok {

// A part of the text on its way to ids.
struct Piece {
  std::string text;
  int32_t id = -1;        // of an added token, which nothing splits any more; -1 for text
  bool at_start = false;  // begins where the whole input begins
};

// Immutable; Apply may be called from any thread.
class PreTokenizer {
 public:
  // Split, ByteLevel, Digits, Metaspace, Sequence, or null for none.
  static absl::StatusOr<std::unique_ptr<const PreTokenizer>> Create(const Node& node);
  virtual ~PreTokenizer() = default;
  // Replaces each piece of text by its parts; empty ones are dropped. RESOURCE_EXHAUSTED if a
  // pattern exceeds its match limit.
  virtual absl::Status Apply(std::vector<Piece>* pieces) const = 0;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_PRE_TOKENIZER_H_
