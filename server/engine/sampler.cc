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
  double target = PhiloxStream(spec.seed, 0).Uniform(index);
  if (spec.top_p >= 1) {
    double reached = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      reached += weights[i];
      if (reached > target * total) return static_cast<int32_t>(i);
    }
  }
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
  });
  size_t kept = 0;
  double mass = 0;
  while (kept < order.size() && mass < spec.top_p * total) mass += weights[order[kept++]];
  double reached = 0;
  for (size_t i = 0; i < kept; ++i) {
    reached += weights[order[i]];
    if (reached > target * mass) return order[i];
  }
  return order[kept == 0 ? 0 : kept - 1];
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
