// Near twins: prompts of different parts that differ in a word or a letter, so that a test prompt
// is as good as seen. Deduplication removes equal normal forms; these are the rest, reported and
// never removed. Exact (no hashing tricks) and fast by prefix-filtered inverted indexes (Xiao et
// al. 2008, "Efficient similarity joins for near duplicate detection"). Pure functions; any thread.
#ifndef STEER_CLIENT_DATA_NEAR_TWINS_H_
#define STEER_CLIENT_DATA_NEAR_TWINS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/data/splits.h"

namespace steer {

inline constexpr double kNearTwinThreshold = 0.9;

// Similarity of two normal forms in [0, 1]: the larger of
//   the Jaccard index of their sets of word 3-shingles (the whole prompt where it has fewer words),
//   and 1 - edit distance / length of the longer, in code points.
double PromptSimilarity(const std::string& form_a, const std::string& form_b);

// Pairs (i, j), i < j, with groups[i] != groups[j] and similarity >= threshold (0.8 to 1),
// ascending.
struct SimilarPair {
  size_t first = 0;
  size_t second = 0;
  double similarity = 0;
};
std::vector<SimilarPair> FindSimilarPairs(absl::Span<const std::string> forms,
                                          absl::Span<const int> groups,
                                          double threshold = kNearTwinThreshold);

// A pair in different parts of one seed's splits, of one class or of both.
struct NearTwin {
  uint64_t seed = 0;
  struct Place {
    PromptClass prompt_class = PromptClass::kHarmful;
    SplitPart part = SplitPart::kTrain;
    int64_t row = 0;
  } first, second;
  double similarity = 0;
};
absl::StatusOr<std::vector<NearTwin>> FindNearTwins(const SeedSplits& splits,
                                                    double threshold = kNearTwinThreshold);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_NEAR_TWINS_H_
