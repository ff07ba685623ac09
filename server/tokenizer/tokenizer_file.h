// The bytes of a tokenizer.json in one pass: vocabulary and merges, which are nearly all of it, as
// flat lists, the rest as a tree.
#ifndef STEER_SERVER_TOKENIZER_TOKENIZER_FILE_H_
#define STEER_SERVER_TOKENIZER_TOKENIZER_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"

namespace steer::tok {

// Bytes [begin, begin + size) of TokenizerFile::text.
struct TextRef {
  uint32_t begin = 0, size = 0;
};

struct TokenizerFile {
  struct Token {
    TextRef content;
    int64_t id;
  };
  struct Merge {
    TextRef left;
    TextRef right;         // unused if not is_pair
    bool is_pair = false;  // ["a", "b"]; otherwise left holds the string "a b"
  };

  absl::string_view Text(TextRef ref) const {
    return absl::string_view(text).substr(ref.begin, ref.size);
  }

  Json root;  // without model.vocab and model.merges
  bool has_vocabulary = false, has_merges = false;
  std::vector<Token> vocabulary;  // in the file's order; contents may repeat
  std::vector<Merge> merges;
  std::string text;
};

// INVALID_ARGUMENT as ParseJson gives it (syntax, depth, a key twice in the tree, non-finite
// numbers), or naming the entry of model.vocab that is not an integer, or of model.merges that is
// neither a string nor a pair of strings.
absl::StatusOr<TokenizerFile> ReadTokenizerFile(absl::string_view json);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_TOKENIZER_FILE_H_
