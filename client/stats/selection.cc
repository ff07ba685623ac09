#include "client/stats/selection.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Products of two counts stay far inside int64.
constexpr int64_t kMaxCount = int64_t{1} << 20;

absl::Status CheckCount(const RefusalCount& count, absl::string_view what) {
  if (count.n <= 0 || count.n > kMaxCount || count.refused < 0 || count.refused > count.n) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", count.refused, " refusals of ", count.n, " prompts is no count"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SelectionResult> SelectLargestSwing(const RefusalCount& baseline_harmful,
                                                   const RefusalCount& baseline_harmless,
                                                   absl::Span<const LayerCandidate> candidates) {
  STEER_RETURN_IF_ERROR(CheckCount(baseline_harmful, "harmful baseline"));
  STEER_RETURN_IF_ERROR(CheckCount(baseline_harmless, "harmless baseline"));
  std::vector<LayerCandidate> sorted(candidates.begin(), candidates.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const LayerCandidate& a, const LayerCandidate& b) { return a.layer < b.layer; });
  SelectionResult result;
  int64_t best = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const LayerCandidate& candidate = sorted[i];
    if (i > 0 && sorted[i - 1].layer == candidate.layer) {
      return absl::InvalidArgumentError(absl::StrCat("layer ", candidate.layer, " occurs twice"));
    }
    if (!candidate.usable) {
      result.swings.push_back({candidate.layer, false, 0, 0});
      continue;
    }
    const std::string where = absl::StrCat("layer ", candidate.layer);
    STEER_RETURN_IF_ERROR(CheckCount(candidate.ablated, absl::StrCat(where, " ablated")));
    STEER_RETURN_IF_ERROR(CheckCount(candidate.added, absl::StrCat(where, " added")));
    if (candidate.ablated.n != baseline_harmful.n || candidate.added.n != baseline_harmless.n) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": other validation prompts than the baseline's"));
    }
    result.swings.push_back({candidate.layer, true,
                             baseline_harmful.rate() - candidate.ablated.rate(),
                             candidate.added.rate() - baseline_harmless.rate()});
    const int64_t swing =
        (baseline_harmful.refused - candidate.ablated.refused) * baseline_harmless.n +
        (candidate.added.refused - baseline_harmless.refused) * baseline_harmful.n;
    if (result.tied.empty() || swing > best) {
      best = swing;
      result.tied.clear();
    }
    if (swing == best) result.tied.push_back(candidate.layer);
  }
  if (!result.tied.empty()) {
    result.chosen = true;
    result.layer = result.tied.front();
  }
  return result;
}

}  // namespace steer
