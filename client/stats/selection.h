// Choice of the layer on the validation split: the largest swing, in integers. Pure functions.
#ifndef STEER_CLIENT_STATS_SELECTION_H_
#define STEER_CLIENT_STATS_SELECTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace steer {

inline constexpr char kLargestSwing[] = "largest-swing";

// Refusals among prompts.
struct RefusalCount {
  int64_t refused = 0;
  int64_t n = 0;
  double rate() const {
    return n > 0 ? static_cast<double>(refused) / static_cast<double>(n) : 0.0;
  }
  friend bool operator==(const RefusalCount&, const RefusalCount&) = default;
};

struct LayerCandidate {
  int layer = 0;
  bool usable = true;    // by the set's report; an unusable one is listed and never chosen
  RefusalCount ablated;  // harmful validation prompts, this layer's direction ablated everywhere
  RefusalCount added;    // harmless validation prompts, this layer's direction added at it
};

struct LayerSwing {
  int layer = 0;
  bool usable = true;
  double drop = 0;                              // baseline - ablated rate on harmful
  double rise = 0;                              // added - baseline rate on harmless
  double swing() const { return drop + rise; }  // for display; the choice compares integers
};

struct SelectionResult {
  // False: the candidate set was empty (no layer has a usable direction). An outcome, not an error.
  bool chosen = false;
  int layer = -1;
  std::vector<int> tied;  // all layers with the largest swing, ascending; the lowest is chosen
  std::vector<LayerSwing> swings;  // every candidate in ascending layer order
};

// swing = drop in harmful refusal + rise in harmless refusal, compared as
//   (base_h - ablated) * n_harmless + (added - base_b) * n_harmful,
// largest first, ties to the lowest layer. Candidates in any order. INVALID_ARGUMENT for a repeated
// layer, a count outside 0..n, n = 0, or a usable candidate whose n is not its baseline's.
absl::StatusOr<SelectionResult> SelectLargestSwing(const RefusalCount& baseline_harmful,
                                                   const RefusalCount& baseline_harmless,
                                                   absl::Span<const LayerCandidate> candidates);

}  // namespace steer

#endif  // STEER_CLIENT_STATS_SELECTION_H_
