#include "tests/fuzz/mutate.h"

namespace steer::fuzz {

void ByteMutator::Mutate(std::string* bytes) {
  const size_t at = Below(bytes->size() + 1);
  switch (Below(7)) {
    case 0:
      if (at < bytes->size()) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << Below(8)));
      break;
    case 1:
      if (at < bytes->size()) (*bytes)[at] = static_cast<char>(Below(256));
      break;
    case 2:
      bytes->insert(at, 1 + Below(3), static_cast<char>(Below(256)));
      break;
    case 3:
      bytes->erase(at, 1 + Below(12));
      break;
    case 4:
      bytes->insert(at, bytes->substr(Below(bytes->size() + 1), Below(24)));
      break;
    case 5:
      if (!words_.empty()) bytes->insert(at, words_[Below(words_.size())]);
      break;
    default: {
      const std::string& other = corpus_[Below(corpus_.size())];
      bytes->insert(at, other.substr(Below(other.size() + 1), Below(64)));
    }
  }
}

}  // namespace steer::fuzz
