// What becomes of a delimiter when text is split at it.
#ifndef STEER_SERVER_TOKENIZER_SPLIT_BEHAVIOR_H_
#define STEER_SERVER_TOKENIZER_SPLIT_BEHAVIOR_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/tokenizer/regex.h"

namespace steer::tok {

enum class SplitBehavior { kRemoved, kIsolated, kContiguous, kMergedWithPrevious, kMergedWithNext };

// "Removed", "Isolated", ...
absl::optional<SplitBehavior> ParseSplitBehavior(absl::string_view name);

// Turns matches and the gaps between them into the parts that are kept; is_match is not meaningful
// in the result.
std::vector<Span> ApplySplitBehavior(SplitBehavior behavior, std::vector<Span> spans);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_SPLIT_BEHAVIOR_H_
