#include "server/planted/spec.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/planted/layout.h"

namespace steer::planted {
namespace {

// Total deviation of the readout 0.304: the class means lie 1.645 deviations from a threshold of
// one half. Most of it comes from the readout's own noise dimension, so that about 3 % of ablated
// prompts still refuse.
PlantedSpec Default() {
  PlantedSpec spec;
  spec.name = "default";
  spec.verdict = "SINGLE-DIRECTION-REPRODUCES";
  spec.axis_noise = 0.147 * kSize;
  spec.off_axis_noise = 0.266 * kSize;
  spec.readout_noise = 1.0;
  spec.threshold = 0.5 * kSize;
  spec.ramp = 0.3 * kSize;
  spec.harmful_refusals = 376;
  spec.harmless_refusals = 24;
  return spec;
}

PlantedSpec Weak() {
  PlantedSpec spec = Default();
  spec.name = "weak";
  spec.verdict = "NO-BASELINE-REFUSAL";
  spec.threshold = 1.205 * kSize;  // 0.674 deviations above the harmful mean
  spec.harmful_refusals = 100;
  spec.harmless_refusals = 0;
  return spec;
}

PlantedSpec Distributed() {
  PlantedSpec spec;
  spec.name = "distributed";
  spec.verdict = "NOT-SINGLE-DIRECTION";
  spec.axes = 2;
  spec.harmful_topics = 2;
  spec.axis_noise = 0.08 * kSize;
  spec.off_axis_noise = 0.266 * kSize;
  spec.threshold = 0.2 * kSize;  // 3.75 deviations below one half
  spec.ramp = 0.05 * kSize;
  spec.harmful_refusals = 400;
  spec.harmless_refusals = 5;
  return spec;
}

PlantedSpec Fragile() {
  PlantedSpec spec = Default();
  spec.name = "fragile";
  spec.verdict = "NOT-SINGLE-DIRECTION";
  spec.guard = true;
  return spec;
}

}  // namespace

const std::vector<PlantedSpec>& PlantedSpecs() {
  static const auto* const specs =
      new std::vector<PlantedSpec>{Default(), Weak(), Distributed(), Fragile()};
  return *specs;
}

absl::StatusOr<PlantedSpec> FindPlantedSpec(absl::string_view name) {
  for (const PlantedSpec& spec : PlantedSpecs()) {
    if (spec.name == name) return spec;
  }
  const auto append_name = [](std::string* out, const PlantedSpec& spec) {
    out->append(spec.name);
  };
  return absl::InvalidArgumentError(absl::StrCat("no planted variant \"", name, "\"; there are ",
                                                 absl::StrJoin(PlantedSpecs(), ", ", append_name)));
}

}  // namespace steer::planted
