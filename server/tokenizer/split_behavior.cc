#include "server/tokenizer/split_behavior.h"

#include <algorithm>

namespace steer::tok {

absl::optional<SplitBehavior> ParseSplitBehavior(absl::string_view name) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  return absl::nullopt;
}

std::vector<Span> ApplySplitBehavior(SplitBehavior behavior, std::vector<Span> spans) {
  if (behavior == SplitBehavior::kIsolated) return spans;
  std::vector<Span> kept;
  if (behavior == SplitBehavior::kRemoved) {
    std::copy_if(spans.begin(), spans.end(), std::back_inserter(kept),
                 [](const Span& s) { return !s.is_match; });
    return kept;
  }
  // MergedWithNext is MergedWithPrevious read from the end.
  bool backwards = behavior == SplitBehavior::kMergedWithNext;
  if (backwards) std::reverse(spans.begin(), spans.end());
  bool previous_match = false;
  for (const Span& span : spans) {
    // Contiguous joins neighbours of one kind; the other two join a match to what stands before it,
    // unless that is a match too.
    bool join = behavior == SplitBehavior::kContiguous ? span.is_match == previous_match
                                                       : span.is_match && !previous_match;
    previous_match = span.is_match;
    if (!join || kept.empty()) {
      kept.push_back(span);
    } else if (backwards) {
      kept.back().begin = span.begin;
    } else {
      kept.back().end = span.end;
    }
  }
  if (backwards) std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace steer::tok
