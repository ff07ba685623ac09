// Lines, byte strings and id sequences from a seed: the twin of tests/golden/tokenizer/mixed_text.py. Both draw from one integer
// generator in one order, so that goldens hold digests of texts and no texts; the tests compare the SHA-256 of what both write.
#ifndef STEER_TESTS_SERVER_TOKENIZER_MIXED_TEXT_H_
#define STEER_TESTS_SERVER_TOKENIZER_MIXED_TEXT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"

namespace steer {

// SplitMix64 (Steele, Lea and Flood 2014).
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  // From 0 to limit - 1; limit is below 2^32.
  uint64_t Below(uint64_t limit);
  template <typename T>
  const T& Pick(const std::vector<T>& items) {
    return items[Below(items.size())];
  }

 private:
  uint64_t state_;
};

// What the lines are made from: "tables" of mixed_tables.json.
struct MixedTables {
  explicit MixedTables(const Json& json);
  std::vector<std::pair<uint32_t, uint32_t>> blocks;  // of code points, inclusive
  std::vector<std::string> words, contractions, spaces, marks, code, emoji, faces, digits,
      punctuation, runs, added;
};

class MixedText {
 public:
  MixedText(const MixedTables& tables, uint64_t seed) : t_(tables), r_(seed) {}
  std::string Line();
  // In about half of the cases valid UTF-8.
  std::string ByteString();

 private:
  std::string FromBlock();
  std::string AnyCharacter();
  std::string OfKind(uint64_t kind);
  std::string Scripts();
  std::string Words();
  std::string Spaces();
  std::string Numbers();
  std::string Marks();
  std::string Emoji();
  std::string Code();
  std::string Controls();
  std::string Added();
  std::string Anything();
  std::string Run();
  std::string Alternating();
  std::string Punctuation();
  std::string PickOf(std::initializer_list<std::string> items);

  const MixedTables& t_;
  SplitMix r_;
};

// Up to 32 ids: any below `size`, those of `short_ids` and `added`, and a few outside the vocabulary.
std::vector<int32_t> IdSequence(SplitMix& r, int32_t size, const std::vector<int32_t>& short_ids,
                                const std::vector<int32_t>& added);

}  // namespace steer

#endif  // STEER_TESTS_SERVER_TOKENIZER_MIXED_TEXT_H_
