// The BPE model: merges the characters of one word into tokens.
#ifndef STEER_SERVER_TOKENIZER_BPE_H_
#define STEER_SERVER_TOKENIZER_BPE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/tokenizer/tokenizer_file.h"

namespace steer::tok {

// Immutable; every method may be called from any thread.
class Bpe {
 public:
  // Takes file->text. Errors name the node under "model".
  static absl::StatusOr<std::unique_ptr<const Bpe>> Create(TokenizerFile* file);
  Bpe(const Bpe&) = delete;
  Bpe& operator=(const Bpe&) = delete;

  // Appends the ids of `word`, which must be valid UTF-8, in time n log n. A character that is
  // neither in the vocabulary nor covered by byte fallback becomes the unknown token, or vanishes
  // where there is none.
  void Encode(absl::string_view word, std::vector<int32_t>* ids) const;

  absl::optional<int32_t> Find(absl::string_view token) const;
  // Empty optional for an id outside the vocabulary.
  absl::optional<absl::string_view> Token(int32_t id) const;
  // Tokens, and one past the largest id (they differ where ids have gaps).
  int32_t size() const { return static_cast<int32_t>(ids_.size()); }
  int32_t id_limit() const { return static_cast<int32_t>(tokens_.size()); }

 private:
  struct Merge {
    int32_t rank, id;
  };
  struct Symbol;

  Bpe() = default;
  absl::string_view Text(TextRef ref) const;
  absl::Status AddVocabulary(const TokenizerFile& file);
  absl::Status AddMerges(const TokenizerFile& file);
  absl::Status AddOptions(const TokenizerFile& file);
  const Merge* FindMerge(int32_t left, int32_t right) const;
  void Split(absl::string_view word, std::vector<Symbol>* symbols) const;

  std::string text_;  // what the views below point into
  absl::flat_hash_map<absl::string_view, int32_t> ids_;
  std::vector<absl::string_view> tokens_;  // by id; data() is null in a gap
  absl::flat_hash_map<uint64_t, Merge> merges_;
  std::vector<int32_t> low_ids_;       // of the characters below kLowLimit, -1 if none
  std::array<int32_t, 256> byte_ids_;  // of "<0x00>" to "<0xFF>", -1 if none
  absl::optional<int32_t> unknown_;
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_BPE_H_
