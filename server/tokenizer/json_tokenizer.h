// The Tokenizer that a tokenizer.json describes.
#ifndef STEER_SERVER_TOKENIZER_JSON_TOKENIZER_H_
#define STEER_SERVER_TOKENIZER_JSON_TOKENIZER_H_

#include <memory>
#include <string>
#include <vector>

#include "server/tokenizer/added_vocabulary.h"
#include "server/tokenizer/bpe.h"
#include "server/tokenizer/decoder.h"
#include "server/tokenizer/normalizer.h"
#include "server/tokenizer/pre_tokenizer.h"
#include "server/tokenizer/tokenizer.h"

namespace steer::tok {

class JsonTokenizer : public Tokenizer {
 public:
  // Errors name the node but not the file.
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Create(absl::string_view json);

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override;
  std::string Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const override;
  int32_t vocabulary_size() const override;
  absl::optional<int32_t> FindToken(absl::string_view content) const override;
  std::string Piece(int32_t id) const override;
  bool IsSpecial(int32_t id) const override;
  std::unique_ptr<TextStream> OpenTextStream() const override;

 private:
  JsonTokenizer() = default;
  // What the decoder is given for an id; nullopt outside the vocabulary.
  absl::optional<absl::string_view> Surface(int32_t id) const;
  // Gives the id's token, if any, to `sink`.
  void Feed(int32_t id, bool skip_special_tokens, TokenSink* sink) const;

  std::unique_ptr<const Bpe> bpe_;
  std::unique_ptr<const Normalizer> normalizer_;
  std::unique_ptr<const PreTokenizer> pre_tokenizer_;
  AddedVocabulary added_;
  Decoder decoder_;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_JSON_TOKENIZER_H_
