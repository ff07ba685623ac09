#include "server/steering/fit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/steering/separation.h"
#include "server/steering/subspace.h"

namespace steer {
namespace {

// A difference this small beside the states is rounding (method.md section 7: layer 0 at template
// positions is exactly zero).
constexpr double kSmallestShare = 1e-6;

absl::Status NonFinite(absl::string_view what) {
  return MakeError(absl::StatusCode::kInternal, "NON_FINITE_STATES", what);
}

// Mean state and mean norm of one class at one site.
struct ClassMean {
  std::vector<double> mean;
  double mean_norm = 0;
};

ClassMean MeanOf(const StateRows& rows, size_t hidden) {
  ClassMean result{std::vector<double>(hidden, 0.0)};
  for (const float* row : rows) {
    double squares = 0;
    for (size_t j = 0; j < hidden; ++j) {
      const double value = row[j];
      result.mean[j] += value;
      squares += value * value;
    }
    result.mean_norm += std::sqrt(squares);
  }
  const double prompts = static_cast<double>(rows.size());
  for (double& value : result.mean) value /= prompts;
  result.mean_norm /= prompts;
  return result;
}

bool AllFinite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

LayerReport ReportOf(absl::Span<const float> direction, const ClassMean& harmful,
                     const ClassMean& harmless, const StateRows& harmful_rows,
                     const StateRows& harmless_rows) {
  LayerReport report;
  report.direction_digest = DirectionDigest(direction);
  report.norm = Norm(direction);
  report.mean_state_norm = harmless.mean_norm;
  const double norms = Norm(harmful.mean) * Norm(harmless.mean);
  if (norms > 0) {
    report.mean_cosine = std::clamp(Dot(harmful.mean, harmless.mean) / norms, -1.0, 1.0);
  }
  if (report.norm > 0) {
    double largest = 0;
    for (float value : direction) largest = std::max(largest, std::abs(double{value}));
    report.largest_coordinate_share = std::min(1.0, std::pow(largest / report.norm, 2));
  }
  report.usable = report.norm > 0 && report.norm >= kSmallestShare * report.mean_state_norm;
  if (report.usable) {
    const Separation separation = CrossValidate(harmful_rows, harmless_rows, direction.size());
    report.projection_gap = separation.projection_gap;
    report.auc = separation.auc;
  }
  return report;
}

}  // namespace

DirectionFit::DirectionFit(std::vector<int> positions, int64_t layers, int64_t hidden,
                           int64_t harmful_prompts, int64_t harmless_prompts)
    : positions_(std::move(positions)),
      layers_(layers),
      hidden_(hidden),
      harmful_(harmful_prompts),
      harmless_(harmless_prompts),
      states_(static_cast<size_t>(harmful_prompts + harmless_prompts)) {}

absl::Status DirectionFit::AddPrompt(PromptClass prompt_class, int64_t index,
                                     absl::Span<const float> states) {
  const bool is_harmful = prompt_class == PromptClass::kHarmful;
  const absl::string_view name = PromptClassName(prompt_class);
  if (index < 0 || index >= (is_harmful ? harmful_ : harmless_)) {
    return absl::InvalidArgumentError(absl::StrCat("there is no ", name, " prompt ", index));
  }
  const size_t sites = static_cast<size_t>(2 * layers_ + 1), hidden = static_cast<size_t>(hidden_);
  if (states.size() != positions_.size() * sites * hidden) {
    return absl::InvalidArgumentError(absl::StrCat(name, " prompt ", index, " has ", states.size(),
                                                   " state values instead of ",
                                                   positions_.size() * sites * hidden));
  }
  std::vector<float>& kept = states_[static_cast<size_t>(is_harmful ? index : harmful_ + index)];
  if (!kept.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " prompt ", index, " is given twice"));
  }
  for (size_t i = 0; i < states.size(); ++i) {
    if (!std::isfinite(states[i])) {
      return NonFinite(absl::StrCat(
          "the state of ", name, " prompt ", index, " at site ", i / hidden % sites, ", position ",
          positions_[i / hidden / sites], ", coordinate ", i % hidden, " is ", states[i]));
    }
  }
  kept.assign(states.begin(), states.end());
  return absl::OkStatus();
}

absl::StatusOr<DirectionSet> DirectionFit::Finish(bool keep_states) {
  if (harmful_ < 2 || harmless_ < 2) {
    return absl::InvalidArgumentError(absl::StrCat("a fit needs two prompts of each class, not ",
                                                   harmful_, " harmful and ", harmless_,
                                                   " harmless"));
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    if (!states_[i].empty()) continue;
    const bool is_harmful = static_cast<int64_t>(i) < harmful_;
    return absl::FailedPreconditionError(
        absl::StrCat("the states of ", is_harmful ? "harmful" : "harmless", " prompt ",
                     is_harmful ? i : i - static_cast<size_t>(harmful_), " are missing"));
  }
  const size_t hidden = static_cast<size_t>(hidden_), sites = static_cast<size_t>(2 * layers_ + 1);
  DirectionSet set;
  set.positions = positions_;
  set.layers = layers_;
  set.hidden = hidden_;
  set.harmful_prompts = harmful_;
  set.harmless_prompts = harmless_;
  const auto append = [](const std::vector<double>& values, std::vector<float>* out) {
    for (double value : values) out->push_back(static_cast<float>(value));
  };
  for (size_t p = 0; p < positions_.size(); ++p) {
    for (size_t site = 0; site < sites; ++site) {
      StateRows harmful_rows, harmless_rows;
      for (size_t i = 0; i < states_.size(); ++i) {
        StateRows& rows = static_cast<int64_t>(i) < harmful_ ? harmful_rows : harmless_rows;
        rows.push_back(states_[i].data() + (p * sites + site) * hidden);
      }
      const ClassMean harmful = MeanOf(harmful_rows, hidden);
      const ClassMean harmless = MeanOf(harmless_rows, hidden);
      append(harmful.mean, &set.harmful_means);
      append(harmless.mean, &set.harmless_means);
      set.harmful_mean_norms.push_back(static_cast<float>(harmful.mean_norm));
      set.harmless_mean_norms.push_back(static_cast<float>(harmless.mean_norm));
      // A block's direction is read at its input; the last site is no block's input.
      if (site % 2 == 1 || site + 1 == sites) continue;
      for (size_t j = 0; j < hidden; ++j) {
        set.directions.push_back(static_cast<float>(harmful.mean[j] - harmless.mean[j]));
      }
      const auto direction = absl::MakeConstSpan(set.directions).last(hidden);
      LayerReport report = ReportOf(direction, harmful, harmless, harmful_rows, harmless_rows);
      report.position = positions_[p];
      report.layer = static_cast<int>(site / 2);
      set.reports.push_back(std::move(report));
    }
  }
  // Finite states can still overflow float32 in a difference or a norm.
  if (!AllFinite(set.directions) || !AllFinite(set.harmful_mean_norms) ||
      !AllFinite(set.harmless_mean_norms)) {
    return NonFinite("a difference of means or a mean norm exceeds float32");
  }
  if (keep_states) {
    set.states.reserve(states_.size() * positions_.size() * static_cast<size_t>(layers_) * hidden);
    for (const std::vector<float>& states : states_) {
      for (size_t p = 0; p < positions_.size(); ++p) {
        for (size_t layer = 0; layer < static_cast<size_t>(layers_); ++layer) {
          const auto begin =
              states.begin() + static_cast<ptrdiff_t>((p * sites + 2 * layer) * hidden);
          set.states.insert(set.states.end(), begin, begin + static_cast<ptrdiff_t>(hidden));
        }
      }
    }
  }
  set.content_digest = ContentDigest(set);
  return set;
}

}  // namespace steer
