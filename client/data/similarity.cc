#include "client/data/similarity.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/data/near_twins.h"
#include "client/data/text.h"
#include "common/utf8.h"

namespace steer {

size_t BoundedEditDistance(absl::Span<const uint32_t> a, absl::Span<const uint32_t> b,
                           size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  // Row i holds distances of a[0, j) and b[0, i); cells off the diagonal by more than `limit`
  // exceed it (Ukkonen 1985), so only the band is filled and what borders it counts as limit + 1.
  const size_t beyond = limit + 1;
  std::vector<size_t> row(a.size() + 1, beyond);
  for (size_t j = 0; j <= std::min(limit, a.size()); ++j) row[j] = j;
  for (size_t i = 1; i <= b.size(); ++i) {
    const size_t from = i > limit ? i - limit : 0;
    const size_t to = std::min(i + limit, a.size());
    size_t diagonal = from > 0 ? row[from - 1] : 0;
    size_t least = beyond;
    if (from > 0) row[from - 1] = beyond;
    for (size_t j = from; j <= to; ++j) {
      const size_t above = row[j];
      size_t best = std::min(above + 1, beyond);
      if (j > 0) {
        best = std::min({best, row[j - 1] + 1, diagonal + (a[j - 1] == b[i - 1] ? 0 : 1)});
      }
      diagonal = above;
      row[j] = best;
      least = std::min(least, best);
    }
    if (least > limit) return beyond;
  }
  return std::min(row[a.size()], beyond);
}

size_t EditLimit(size_t length, double threshold) {
  // 1e-9: (1 - 0.9) * 10 must be 1, whatever its last bit.
  return static_cast<size_t>(std::floor((1.0 - threshold) * static_cast<double>(length) + 1e-9));
}

std::vector<std::string> WordShingles(const std::string& form) {
  const std::vector<absl::string_view> words = SplitWords(form);
  std::vector<std::string> shingles;
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    shingles.push_back(absl::StrCat(words[i], " ", words[i + 1], " ", words[i + 2]));
  }
  if (shingles.empty()) shingles.push_back(form);
  std::sort(shingles.begin(), shingles.end());
  shingles.erase(std::unique(shingles.begin(), shingles.end()), shingles.end());
  return shingles;
}

double PromptSimilarity(const std::string& form_a, const std::string& form_b) {
  const std::vector<uint32_t> a = ToCodePoints(form_a);
  const std::vector<uint32_t> b = ToCodePoints(form_b);
  const size_t longer = std::max(a.size(), b.size());
  if (longer == 0) return 1.0;
  const double letters =
      1.0 - static_cast<double>(BoundedEditDistance(a, b, longer)) / static_cast<double>(longer);
  return std::max(letters, JaccardIndex(WordShingles(form_a), WordShingles(form_b)));
}

}  // namespace steer
