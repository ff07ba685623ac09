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

  // What is known of all tokens that will ever come: whether each is written in the byte alphabet,
  // and whether one is a byte token ("<0x41>"). Without it a ByteLevel behind a Fuse, as
  // transformers writes for some models, could pass nothing on before the end. Call it before Open.
  void NoteTokens(bool in_byte_alphabet, bool has_byte_token);

  // A decoding that appends to `out`, which must outlive it. With `raw`, for showing one token by
  // itself: bytes that are not UTF-8 pass as they are, and nothing is taken off the ends.
  SinkPtr Open(bool raw, std::string* out) const;

 private:
  // What a stage is told when it opens.
  struct Opening {
    bool raw = false;
    bool in_byte_alphabet = false, has_byte_token = true;  // of NoteTokens
  };
  using MakeStage = std::function<SinkPtr(const Opening& opening, SinkPtr next)>;
  absl::Status Add(const Node& node);

  std::vector<MakeStage> stages_;  // in the order that tokens pass
  Opening tokens_;
  // Of the stages added so far: fed the byte alphabet alone, they give it alone, if there is no byte
  // token or none of them reads such.
  bool keeps_alphabet_ = true, reads_byte_tokens_ = false;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_DECODER_H_
