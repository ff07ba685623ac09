#include "client/data/class_report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "client/data/text.h"
#include "common/utf8.h"

namespace steer {
namespace {

void CountEnding(absl::string_view text, ClassSurface* surface) {
  const std::vector<uint32_t> points = ToCodePoints(TrimWhiteSpace(text));
  const uint32_t last = points.empty() ? 0 : points.back();
  if (last == '.' || last == 0x3002) {
    ++surface->end_full_stop;
  } else if (last == '?' || last == 0xFF1F) {
    ++surface->end_question;
  } else if (last == '!' || last == 0xFF01) {
    ++surface->end_exclamation;
  } else if (IsPunctuation(last)) {
    ++surface->end_other_punctuation;
  } else {
    ++surface->end_none;
  }
}

}  // namespace

LengthSummary SummariseLengths(std::vector<int64_t> lengths) {
  LengthSummary summary;
  if (lengths.empty()) return summary;
  std::sort(lengths.begin(), lengths.end());
  const size_t n = lengths.size();
  double sum = 0;
  for (int64_t length : lengths) sum += static_cast<double>(length);
  summary.mean = sum / static_cast<double>(n);
  double squares = 0;
  for (int64_t length : lengths) {
    const double off = static_cast<double>(length) - summary.mean;
    squares += off * off;
  }
  summary.deviation = n > 1 ? std::sqrt(squares / static_cast<double>(n - 1)) : 0.0;
  summary.minimum = lengths.front();
  summary.maximum = lengths.back();
  summary.median = 0.5 * static_cast<double>(lengths[(n - 1) / 2] + lengths[n / 2]);
  return summary;
}

double ClassSurface::punctuated_share() const {
  return prompts > 0 ? 1.0 - static_cast<double>(end_none) / static_cast<double>(prompts) : 0.0;
}

ClassSurface DescribeClass(absl::Span<const PromptRecord> prompts, const TokenCounts& tokens) {
  ClassSurface surface;
  surface.prompts = static_cast<int64_t>(prompts.size());
  std::vector<int64_t> characters;
  std::vector<int64_t> words;
  std::vector<int64_t> token_lengths;
  for (const PromptRecord& record : prompts) {
    characters.push_back(static_cast<int64_t>(CountCodePoints(record.text)));
    words.push_back(static_cast<int64_t>(SplitWords(record.text).size()));
    auto known = tokens.find(record.hash);
    if (known != tokens.end()) token_lengths.push_back(known->second);
    CountEnding(record.text, &surface);
  }
  surface.tokens_known = static_cast<int64_t>(token_lengths.size());
  surface.characters = SummariseLengths(std::move(characters));
  surface.words = SummariseLengths(std::move(words));
  surface.tokens = SummariseLengths(std::move(token_lengths));
  return surface;
}

double StandardisedDifference(const LengthSummary& a, int64_t n_a, const LengthSummary& b,
                              int64_t n_b) {
  const double difference = a.mean - b.mean;
  const double freedom = static_cast<double>(n_a + n_b - 2);
  const double pooled = freedom > 0
                            ? std::sqrt((static_cast<double>(n_a - 1) * a.deviation * a.deviation +
                                         static_cast<double>(n_b - 1) * b.deviation * b.deviation) /
                                        freedom)
                            : 0.0;
  if (pooled > 0) return difference / pooled;
  if (difference == 0) return 0.0;
  return difference > 0 ? std::numeric_limits<double>::infinity()
                        : -std::numeric_limits<double>::infinity();
}

}  // namespace steer
