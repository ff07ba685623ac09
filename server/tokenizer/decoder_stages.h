// The steps of decoding, each fed token by token so that a growing completion is never decoded
// twice. A stage passes on at once whatever no later token can change.
#ifndef STEER_SERVER_TOKENIZER_DECODER_STAGES_H_
#define STEER_SERVER_TOKENIZER_DECODER_STAGES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace steer::tok {

// Takes tokens, each as any number of parts and then EndToken; End after the last. Not thread-safe.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  virtual void Part(absl::string_view text) = 0;
  virtual void EndToken() = 0;
  virtual void End() = 0;
};
using SinkPtr = std::unique_ptr<TokenSink>;

// Appends all text to `out`, which must outlive it.
SinkPtr MakeStringSink(std::string* out);
// Without any decoder, tokens are joined by spaces.
SinkPtr MakeSpaceJoin(SinkPtr next);
// From the byte alphabet to bytes; all tokens become one. A token with any other character passes as
// it is, so a token waits for its end, unless it is known that none has one (`only_alphabet`). With
// `raw`, bytes that are not UTF-8 are passed on as they are.
SinkPtr MakeByteLevel(bool raw, bool only_alphabet, SinkPtr next);
// Whether ByteFallback reads the token as a byte.
bool IsByteToken(absl::string_view token);
// Runs of tokens "<0xNN>" to text or, if a run is not UTF-8, one U+FFFD a byte. With `raw`, the
// bytes as they are.
SinkPtr MakeByteFallback(bool raw, SinkPtr next);
// All tokens become one.
SinkPtr MakeFuse(SinkPtr next);
// `pattern` must not be empty.
SinkPtr MakeReplace(std::string pattern, std::string content, SinkPtr next);
// Takes up to `start` leading and `stop` trailing `character`s off each token.
SinkPtr MakeStrip(uint32_t character, int64_t start, int64_t stop, SinkPtr next);
// `character` becomes a space or, in the first token and if `drop_first`, nothing.
SinkPtr MakeMetaspace(uint32_t character, bool drop_first, SinkPtr next);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_DECODER_STAGES_H_
