// Similarity of two prompts in normal form, by words and by letters. Private to client/data. Pure
// functions.
#ifndef STEER_CLIENT_DATA_SIMILARITY_H_
#define STEER_CLIENT_DATA_SIMILARITY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace steer {

// Levenshtein distance of two sequences of code points, or limit + 1 if it is larger. O(limit *
// length).
size_t BoundedEditDistance(absl::Span<const uint32_t> a, absl::Span<const uint32_t> b,
                           size_t limit);

// Largest edit distance at which 1 - distance / length >= threshold.
size_t EditLimit(size_t length, double threshold);

// Distinct word 3-shingles, sorted; the whole form if it has fewer than 3 words.
std::vector<std::string> WordShingles(const std::string& form);

// |a and b| / |a or b| of two sorted lists of distinct values, neither empty.
template <typename T>
double JaccardIndex(const std::vector<T>& a, const std::vector<T>& b) {
  size_t shared = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      ++shared;
      ++i;
      ++j;
    } else {
      ++(a[i] < b[j] ? i : j);
    }
  }
  return static_cast<double>(shared) / static_cast<double>(a.size() + b.size() - shared);
}

}  // namespace steer

#endif  // STEER_CLIENT_DATA_SIMILARITY_H_
