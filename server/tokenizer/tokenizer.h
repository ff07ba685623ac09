// A tokenizer as tokenizer.json describes it: added tokens, normaliser, pre-tokenizer, BPE,
// decoder. Ids equal those of the `tokenizers` library called with add_special_tokens=False: no
// post-processor runs, because the chat template writes every special token itself.
//
// Immutable after Load; every const method may be called from any thread.
#ifndef STEER_SERVER_TOKENIZER_TOKENIZER_H_
#define STEER_SERVER_TOKENIZER_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace steer {

// Text of ids that arrive one by one. Not thread-safe.
class TextStream {
 public:
  virtual ~TextStream() = default;
  virtual void Push(int32_t id) = 0;
  // After the last id, once.
  virtual void Finish() = 0;
  // Only characters that no later id can change.
  virtual const std::string& text() const = 0;
};

class Tokenizer {
 public:
  // Reads <folder>/tokenizer.json. INVALID_ARGUMENT naming the file, the node
  // ("pre_tokenizer.pretokenizers[1].type") and the value where anything is malformed or of a kind
  // that is not built here; nothing is ignored silently.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Load(const std::string& folder);
  // The same from bytes; `name` is shown in errors.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> FromJson(absl::string_view json,
                                                                   absl::string_view name);

  virtual ~Tokenizer() = default;

  // INVALID_ARGUMENT if `text` is not UTF-8; RESOURCE_EXHAUSTED if the pre-tokenizer's pattern
  // exceeds its match limit.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const = 0;

  // Text of ids as the library's decode gives it; bytes that are not UTF-8 become U+FFFD. Ids
  // outside the vocabulary are left out.
  virtual std::string Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const = 0;

  // One past the largest id.
  virtual int32_t vocabulary_size() const = 0;
  // Id of a token by its content ("<|im_end|>"), added tokens first.
  virtual absl::optional<int32_t> FindToken(absl::string_view content) const = 0;
  // The text that the id stands for, for display; bytes that are not UTF-8 are shown as \xNN.
  virtual std::string Piece(int32_t id) const = 0;
  // True for added tokens marked special: Decode leaves them out.
  virtual bool IsSpecial(int32_t id) const = 0;

  // An empty stream, special tokens left out; it must not outlive the tokenizer. After Finish its
  // text equals Decode(ids, true). Each Push takes time by its own token only. Tokenizers of Load
  // override this; as it stands here, every id is decoded by itself, which is right wherever each
  // id stands for whole characters (test doubles).
  virtual std::unique_ptr<TextStream> OpenTextStream() const;
};

// Text of a growing completion, special tokens left out. text() holds only characters that no later
// id can change, so that a reader may act on it at once; Finish adds what the last ids leave open.
// After Finish, text() equals Decode(all ids, true). Not thread-safe.
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer);
  void Push(int32_t id) { stream_->Push(id); }
  void Finish() { stream_->Finish(); }
  const std::string& text() const { return stream_->text(); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;  // outlives stream_
  std::unique_ptr<TextStream> stream_;
};

}  // namespace steer

#endif  // STEER_SERVER_TOKENIZER_TOKENIZER_H_
