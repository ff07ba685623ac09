#include "server/steering/control.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/philox.h"
#include "server/steering/subspace.h"

namespace steer {
namespace {

constexpr uint32_t kLargestDraw = 0x7fffffff;

}  // namespace

std::vector<float> IsotropicDraw(int64_t hidden, double norm, uint64_t seed, uint32_t draw) {
  const PhiloxStream stream(seed, draw);
  std::vector<double> normal(static_cast<size_t>(hidden));
  double squares = 0;
  for (size_t i = 0; i < normal.size(); ++i) {
    normal[i] = stream.Normal(i);
    squares += normal[i] * normal[i];
  }
  const double scale = norm / std::sqrt(squares);
  std::vector<float> values(normal.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(normal[i] * scale);
  return values;
}

absl::StatusOr<ResolvedDirection> ResolveDirection(const DirectionSet& set,
                                                   const DirectionRef& ref) {
  const absl::optional<size_t> position = set.PositionIndex(ref.position);
  if (!position.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the set has no position ", ref.position, "; it has ", absl::StrJoin(set.positions, ", ")));
  }
  if (ref.layer < 0 || ref.layer >= set.layers) {
    return absl::InvalidArgumentError(
        absl::StrCat("the set has no layer ", ref.layer, "; it has 0 to ", set.layers - 1));
  }
  if (ref.component != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the set has no component ", ref.component, "; ", set.method, " has 0 only"));
  }
  if (ref.control.has_value() && ref.control->draw > kLargestDraw) {
    return absl::InvalidArgumentError(
        absl::StrCat("draw ", ref.control->draw, " is above ", kLargestDraw));
  }
  const LayerReport& report = set.Report(*position, ref.layer);
  if (!report.usable) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "DIRECTION_UNUSABLE",
        absl::StrCat("direction set ", set.set_id, ": position ", ref.position, ", layer ",
                     ref.layer, " is unusable: the classes do not differ there (norm ", report.norm,
                     "); choose another layer"));
  }
  const absl::Span<const float> fitted = set.Direction(*position, ref.layer);
  ResolvedDirection resolved;
  resolved.content_digest = set.content_digest;
  resolved.values.assign(fitted.begin(), fitted.end());
  if (ref.control.has_value()) {
    // kIsotropic, the one family there is.
    resolved.values = IsotropicDraw(set.hidden, Norm(fitted), ref.control->seed, ref.control->draw);
    resolved.cosine_with_fitted = Cosine(resolved.values, fitted);
  }
  resolved.norm = Norm(resolved.values);
  resolved.digest = DirectionDigest(resolved.values);
  return resolved;
}

}  // namespace steer
