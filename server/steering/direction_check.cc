#include "server/steering/direction_check.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/steering/subspace.h"

namespace steer {
namespace {

constexpr size_t kMaxPositions = 1024;
constexpr int kLowestPosition = -(1 << 24);
// Together they keep every element count far inside int64.
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHidden = 1 << 18;
constexpr int64_t kMaxPrompts = 1 << 20;
constexpr size_t kMaxFingerprintBytes = 256;
// Reports carry float64 values of float32 tensors; a reader recomputes them with the same sums.
constexpr double kNormTolerance = 1e-9;

absl::Status Wrong(absl::string_view field, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", rule));
}

absl::Status CheckFingerprint(absl::string_view field, const std::string& value) {
  if (value.empty() || value.size() > kMaxFingerprintBytes || !IsValidUtf8(value)) {
    return Wrong(field, "not 1 to 256 bytes of UTF-8");
  }
  return absl::OkStatus();
}

absl::Status CheckNumber(absl::string_view field, double value, double low, double high) {
  if (!std::isfinite(value) || value < low || value > high) {
    return Wrong(field, absl::StrCat(value, " is not within ", low, " and ", high));
  }
  return absl::OkStatus();
}

absl::Status CheckTensor(absl::string_view field, const std::vector<float>& values, int64_t wanted,
                         bool non_negative) {
  if (static_cast<int64_t>(values.size()) != wanted) {
    return Wrong(field, absl::StrCat("has ", values.size(), " elements instead of ", wanted));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) || (non_negative && values[i] < 0)) {
      return Wrong(field, absl::StrCat("element ", i, " is ", values[i]));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckReport(const DirectionSet& set, size_t index) {
  const LayerReport& report = set.reports[index];
  const std::string field = absl::StrCat("reports[", index, "]");
  const size_t layers = static_cast<size_t>(set.layers);
  if (report.position != set.positions[index / layers] ||
      report.layer != static_cast<int>(index % layers)) {
    return Wrong(field, "not of this position and layer");
  }
  STEER_RETURN_IF_ERROR(CheckNumber(field + ".norm", report.norm, 0, HUGE_VAL));
  STEER_RETURN_IF_ERROR(
      CheckNumber(field + ".projection_gap", report.projection_gap, -HUGE_VAL, HUGE_VAL));
  STEER_RETURN_IF_ERROR(CheckNumber(field + ".auc", report.auc, 0, 1));
  STEER_RETURN_IF_ERROR(
      CheckNumber(field + ".largest_coordinate_share", report.largest_coordinate_share, 0, 1));
  STEER_RETURN_IF_ERROR(
      CheckNumber(field + ".mean_state_norm", report.mean_state_norm, 0, HUGE_VAL));
  STEER_RETURN_IF_ERROR(CheckNumber(field + ".mean_cosine", report.mean_cosine, -1, 1));
  const auto direction = set.Direction(index / layers, report.layer);
  const double norm = Norm(direction);
  if (std::abs(report.norm - norm) > kNormTolerance * norm) {
    return Wrong(field + ".norm", absl::StrCat(report.norm, " but the direction's norm is ", norm));
  }
  if (report.usable && !(norm > 0)) return Wrong(field + ".usable", "the direction is zero");
  if (report.direction_digest != DirectionDigest(direction)) {
    return Wrong(field + ".direction_digest", "not that of the direction");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSetModel(const DirectionSet& set, absl::string_view name,
                           absl::string_view model_fingerprint) {
  if (set.model_fingerprint == model_fingerprint) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, "MODEL_MISMATCH",
      absl::StrCat("direction set ", set.set_id, " was fitted on the model with fingerprint ",
                   set.model_fingerprint, ", the loaded ", name, " has ", model_fingerprint,
                   "; start steerd with the other model, or fit the set on this one"));
}

absl::Status CheckDirectionSetHeader(const DirectionSet& set) {
  if (!IsSha256Hex(set.set_id)) return Wrong("set_id", "not 64 lower-case hex digits");
  if (set.method != kDifferenceOfMeans) {
    return Wrong("method",
                 absl::StrCat("not \"", kDifferenceOfMeans, "\", which is all that is built"));
  }
  STEER_RETURN_IF_ERROR(CheckFingerprint("model_fingerprint", set.model_fingerprint));
  STEER_RETURN_IF_ERROR(CheckFingerprint("numeric_fingerprint", set.numeric_fingerprint));
  if (set.positions.empty() || set.positions.size() > kMaxPositions) {
    return Wrong("positions", absl::StrCat("not 1 to ", kMaxPositions, " of them"));
  }
  for (size_t i = 0; i < set.positions.size(); ++i) {
    if (set.positions[i] > -1 || set.positions[i] < kLowestPosition ||
        (i > 0 && set.positions[i] >= set.positions[i - 1])) {
      return Wrong("positions", "not descending from -1");
    }
  }
  STEER_RETURN_IF_ERROR(CheckNumber("layers", static_cast<double>(set.layers), 1, kMaxLayers));
  STEER_RETURN_IF_ERROR(CheckNumber("hidden", static_cast<double>(set.hidden), 1, kMaxHidden));
  STEER_RETURN_IF_ERROR(
      CheckNumber("harmful_prompts", static_cast<double>(set.harmful_prompts), 2, kMaxPrompts));
  STEER_RETURN_IF_ERROR(
      CheckNumber("harmless_prompts", static_cast<double>(set.harmless_prompts), 2, kMaxPrompts));
  if (static_cast<int64_t>(set.fit_prompt_hashes.size()) >
      set.harmful_prompts + set.harmless_prompts) {
    return Wrong("fit_prompt_hashes", "more of them than prompts");
  }
  for (size_t i = 0; i < set.fit_prompt_hashes.size(); ++i) {
    if (!IsSha256Hex(set.fit_prompt_hashes[i])) {
      return Wrong(absl::StrCat("fit_prompt_hashes[", i, "]"), "not 64 lower-case hex digits");
    }
    if (i > 0 && set.fit_prompt_hashes[i] <= set.fit_prompt_hashes[i - 1]) {
      return Wrong("fit_prompt_hashes", "not sorted and distinct");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDirectionSet(const DirectionSet& set) {
  STEER_RETURN_IF_ERROR(CheckDirectionSetHeader(set));
  const int64_t positions = static_cast<int64_t>(set.positions.size());
  const int64_t sites = 2 * set.layers + 1;
  STEER_RETURN_IF_ERROR(
      CheckTensor("directions", set.directions, positions * set.layers * set.hidden, false));
  STEER_RETURN_IF_ERROR(
      CheckTensor("harmful_means", set.harmful_means, positions * sites * set.hidden, false));
  STEER_RETURN_IF_ERROR(
      CheckTensor("harmless_means", set.harmless_means, positions * sites * set.hidden, false));
  STEER_RETURN_IF_ERROR(
      CheckTensor("harmful_mean_norms", set.harmful_mean_norms, positions * sites, true));
  STEER_RETURN_IF_ERROR(
      CheckTensor("harmless_mean_norms", set.harmless_mean_norms, positions * sites, true));
  if (!set.states.empty()) {
    const int64_t prompts = set.harmful_prompts + set.harmless_prompts;
    STEER_RETURN_IF_ERROR(
        CheckTensor("states", set.states, prompts * positions * set.layers * set.hidden, false));
  }
  if (static_cast<int64_t>(set.reports.size()) != positions * set.layers) {
    return Wrong("reports", "not one for each position and layer");
  }
  for (size_t i = 0; i < set.reports.size(); ++i) STEER_RETURN_IF_ERROR(CheckReport(set, i));
  return absl::OkStatus();
}

}  // namespace steer
