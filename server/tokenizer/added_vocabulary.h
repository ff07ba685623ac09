// Tokens that are found in text before anything else happens to it: the "added_tokens" node.
#ifndef STEER_SERVER_TOKENIZER_ADDED_VOCABULARY_H_
#define STEER_SERVER_TOKENIZER_ADDED_VOCABULARY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/tokenizer/bpe.h"
#include "server/tokenizer/node.h"
#include "server/tokenizer/normalizer.h"
#include "server/tokenizer/pre_tokenizer.h"
#include "server/tokenizer/token_trie.h"

namespace steer::tok {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  // What is looked for in normalised text and given to the decoder: the normalised content if the
  // token says so, otherwise the content.
  std::string surface;
  bool single_word = false, lstrip = false, rstrip = false, normalized = true, special = false;
};

// Immutable; every method may be called from any thread.
class AddedVocabulary {
 public:
  // `root` is the whole file. Refuses an id that differs from what the library would give the
  // token, which ignores the file's.
  static absl::StatusOr<AddedVocabulary> Create(const Node& root, const Bpe& bpe,
                                                const Normalizer& normalizer);

  // Splits `text` at added tokens and normalises what lies between. RESOURCE_EXHAUSTED as
  // Normalizer::Apply.
  absl::StatusOr<std::vector<Piece>> Split(absl::string_view text,
                                           const Normalizer& normalizer) const;

  const AddedToken* FindId(int32_t id) const;
  const AddedToken* FindContent(absl::string_view content) const;
  // True if Decode leaves out tokens that read like this.
  bool IsSpecialSurface(absl::string_view surface) const;
  // One past the largest id, 0 if there is none.
  int32_t id_limit() const { return id_limit_; }

 private:
  // A part of a text; token is null for what lies between tokens.
  struct Match {
    size_t begin, end;
    const AddedToken* token;
  };
  void Find(const TokenTrie& trie, absl::string_view text, std::vector<Match>* matches) const;

  std::vector<AddedToken> tokens_;
  absl::flat_hash_map<int32_t, size_t> by_id_;
  absl::flat_hash_map<std::string, size_t> by_content_;
  TokenTrie plain_, normalized_;  // values are indices into tokens_
  int32_t id_limit_ = 0;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_ADDED_VOCABULARY_H_
