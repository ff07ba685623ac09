// Finds the longest of a set of strings at a place of a text.
#ifndef STEER_SERVER_TOKENIZER_TOKEN_TRIE_H_
#define STEER_SERVER_TOKENIZER_TOKEN_TRIE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace steer::tok {

// Reads are safe from any thread once all strings are added.
class TokenTrie {
 public:
  TokenTrie() : values_(1, -1) { roots_.fill(-1); }

  // A string added again keeps its last value. `text` must not be empty.
  void Add(absl::string_view text, int32_t value) {
    int32_t node = 0;
    for (char c : text) {
      int32_t& child = node == 0 ? roots_[static_cast<unsigned char>(c)]
                                 : children_.try_emplace(Key(node, c), -1).first->second;
      if (child < 0) {
        child = static_cast<int32_t>(values_.size());
        values_.push_back(-1);
      }
      node = child;
    }
    values_[static_cast<size_t>(node)] = value;
  }

  bool empty() const { return values_.size() == 1; }

  // Length of the longest string that `text` begins with, 0 if none; *value is its value. `text`
  // must not be empty.
  size_t LongestPrefix(absl::string_view text, int32_t* value) const {
    size_t longest = 0;
    int32_t node = roots_[static_cast<unsigned char>(text[0])];
    for (size_t length = 1; node >= 0; ++length) {
      if (values_[static_cast<size_t>(node)] >= 0) {
        longest = length;
        *value = values_[static_cast<size_t>(node)];
      }
      if (length == text.size()) break;
      auto it = children_.find(Key(node, text[length]));
      node = it == children_.end() ? -1 : it->second;
    }
    return longest;
  }

 private:
  static uint64_t Key(int32_t node, char c) {
    return uint64_t{static_cast<uint32_t>(node)} << 8 | static_cast<unsigned char>(c);
  }

  std::array<int32_t, 256>
      roots_;  // children of the root: most places of a text begin no string, and end here
  absl::flat_hash_map<uint64_t, int32_t> children_;
  std::vector<int32_t> values_;  // by node, -1 where no string ends
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_TOKEN_TRIE_H_
