#include "server/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/philox.h"

namespace steer {
namespace {

absl::StatusOr<int32_t> Largest(absl::Span<const float> logits) {
  size_t best = 0;
  bool finite = true;
  for (size_t i = 0; i < logits.size(); ++i) {
    finite &= std::isfinite(logits[i]);
    if (logits[i] > logits[best]) best = i;
  }
  if (!finite)
    return MakeError(absl::StatusCode::kInternal, "NON_FINITE_LOGITS", "a logit is not finite");
  return static_cast<int32_t>(best);
}

void Penalise(std::vector<float>& logits, double penalty, absl::Span<const int32_t> prompt,
              absl::Span<const int32_t> generated) {
  // Once for each distinct id, as transformers' gather and scatter do.
  std::vector<int32_t> seen(prompt.begin(), prompt.end());
  seen.insert(seen.end(), generated.begin(), generated.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  auto p = static_cast<float>(penalty);
  for (int32_t id : seen) logits[id] = logits[id] < 0 ? logits[id] * p : logits[id] / p;
}

int32_t Sample(absl::Span<const float> logits, float largest, const DecodeSpec& spec,
               uint64_t index) {
  std::vector<double> weights(logits.size());
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    weights[i] = std::exp((static_cast<double>(logits[i]) - largest) / spec.temperature);
    total += weights[i];
  }
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  double mass = total;
  if (spec.top_p < 1) {
    // Of equal weights the lower id comes first.
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return weights[a] > weights[b]; });
    mass = 0;
    // All of them may add up to less than their sum in another order.
    for (size_t kept = 0; kept < order.size() && mass < spec.top_p * total; ++kept)
      mass += weights[order[kept]];
  }
  // The same sum in the same order reaches `mass`, and so exceeds a part of it below one.
  const double target = PhiloxStream(spec.seed, 0).Uniform(index) * mass;
  size_t chosen = 0;
  for (double reached = weights[order[0]]; reached <= target; reached += weights[order[chosen]])
    ++chosen;
  return order[chosen];
}

}  // namespace

absl::StatusOr<int32_t> ChooseToken(absl::Span<const float> logits, const DecodeSpec& spec,
                                    absl::Span<const int32_t> prompt,
                                    absl::Span<const int32_t> generated) {
  std::vector<float> penalised;
  if (spec.repetition_penalty != 0 && spec.repetition_penalty != 1) {
    penalised.assign(logits.begin(), logits.end());
    Penalise(penalised, spec.repetition_penalty, prompt, generated);
    logits = penalised;
  }
  auto best = Largest(logits);
  if (!best.ok() || spec.temperature == 0) return best;
  return Sample(logits, logits[*best], spec, generated.size());
}

}  // namespace steer
