#include "server/steering/separation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "server/steering/subspace.h"

namespace steer {
namespace {

constexpr size_t kFolds = 5;

// Sums of one class by fold, and over all folds.
struct FoldSums {
  FoldSums(const StateRows& rows, size_t hidden, size_t folds)
      : total(hidden, 0.0), by_fold(folds, std::vector<double>(hidden, 0.0)), prompts(rows.size()) {
    for (size_t i = 0; i < rows.size(); ++i) {
      std::vector<double>& sum = by_fold[i % folds];
      for (size_t j = 0; j < hidden; ++j) sum[j] += rows[i][j];
    }
    for (const std::vector<double>& sum : by_fold) {
      for (size_t j = 0; j < hidden; ++j) total[j] += sum[j];
    }
  }
  // 1 / prompts outside the fold.
  double Weight(size_t fold) const {
    const size_t inside = (prompts - fold + by_fold.size() - 1) / by_fold.size();
    return 1.0 / static_cast<double>(prompts - inside);
  }
  std::vector<double> total;
  std::vector<std::vector<double>> by_fold;
  size_t prompts;
};

// Projections of the fold's prompts.
std::vector<double> Project(const StateRows& rows, size_t fold, size_t folds,
                            const std::vector<double>& unit) {
  std::vector<double> projections;
  for (size_t i = fold; i < rows.size(); i += folds) {
    double sum = 0;
    for (size_t j = 0; j < unit.size(); ++j) sum += unit[j] * rows[i][j];
    projections.push_back(sum);
  }
  return projections;
}

}  // namespace

double AreaUnderCurve(absl::Span<const double> positive, absl::Span<const double> negative) {
  if (positive.empty() || negative.empty()) return 0.5;
  std::vector<double> sorted(negative.begin(), negative.end());
  std::sort(sorted.begin(), sorted.end());
  int64_t twice_wins = 0;
  for (double value : positive) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), value);
    twice_wins += (low - sorted.begin()) + (high - sorted.begin());
  }
  return static_cast<double>(twice_wins) /
         (2.0 * static_cast<double>(positive.size()) * static_cast<double>(negative.size()));
}

Separation CrossValidate(const StateRows& harmful, const StateRows& harmless, size_t hidden) {
  const size_t folds = std::min({kFolds, harmful.size(), harmless.size()});
  const FoldSums harmful_sums(harmful, hidden, folds);
  const FoldSums harmless_sums(harmless, hidden, folds);
  double harmful_projections = 0, harmless_projections = 0, areas = 0;
  std::vector<double> unit(hidden);
  for (size_t fold = 0; fold < folds; ++fold) {
    const double harmful_weight = harmful_sums.Weight(fold);
    const double harmless_weight = harmless_sums.Weight(fold);
    for (size_t j = 0; j < hidden; ++j) {
      unit[j] = (harmful_sums.total[j] - harmful_sums.by_fold[fold][j]) * harmful_weight -
                (harmless_sums.total[j] - harmless_sums.by_fold[fold][j]) * harmless_weight;
    }
    const double norm = Norm(unit);
    // A fold without a difference separates nothing: projections 0, area 0.5.
    for (double& value : unit) value = norm > 0 ? value / norm : 0.0;
    const std::vector<double> positive = Project(harmful, fold, folds, unit);
    const std::vector<double> negative = Project(harmless, fold, folds, unit);
    for (double value : positive) harmful_projections += value;
    for (double value : negative) harmless_projections += value;
    areas += AreaUnderCurve(positive, negative);
  }
  Separation result;
  result.projection_gap = harmful_projections / static_cast<double>(harmful.size()) -
                          harmless_projections / static_cast<double>(harmless.size());
  result.auc = areas / static_cast<double>(folds);
  return result;
}

}  // namespace steer
