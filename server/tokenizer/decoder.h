// From tokens back to text: the "decoder" node.
#ifndef STEER_SERVER_TOKENIZER_DECODER_H_
#define STEER_SERVER_TOKENIZER_DECODER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/tokenizer/decoder_stages.h"
#include "server/tokenizer/node.h"

namespace steer::tok {

// Immutable; Open may be called from any thread.
class Decoder {
 public:
  // ByteLevel, ByteFallback, Fuse, Replace (of a string), Strip, Metaspace, Sequence, or null.
  static absl::StatusOr<Decoder> Create(const Node& node);

  // A decoding that appends to `out`, which must outlive it. With `raw`, for showing one token by
  // itself: bytes that are not UTF-8 pass as they are, and nothing is taken off the ends.
  SinkPtr Open(bool raw, std::string* out) const;

 private:
  using MakeStage = std::function<SinkPtr(bool raw, SinkPtr next)>;
  absl::Status Add(const Node& node);
  std::vector<MakeStage> stages_;  // in the order that tokens pass
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_DECODER_H_
