#include "server/planted/truth.h"

#include <cmath>

namespace steer::planted {
namespace {

LayoutVector ToLayout(const Features& features) {
  LayoutVector v = ZeroVector();
  for (int i = 0; i < kFeatures; ++i) v[kAxisOut + i] = features[i];
  return v;
}

// Summed over the dimensions orthogonal to `unit`.
double OffVariance(const std::vector<PlantedPrompt>& prompts, int layer, const Features& unit) {
  Features mean{};
  for (const PlantedPrompt& prompt : prompts) {
    const Features x = AtLayer(prompt.features, layer);
    for (int i = 0; i < kFeatures; ++i) mean[i] += x[i] / prompts.size();
  }
  double variance = 0;
  for (const PlantedPrompt& prompt : prompts) {
    Features x = AtLayer(prompt.features, layer);
    for (int i = 0; i < kFeatures; ++i) x[i] -= mean[i];
    const Features off = Ablate(x, unit);
    variance += Dot(off, off) / prompts.size();
  }
  return variance;
}

OrderedJson RateJson(const ExpectedRate& rate) {
  return {{"expected", rate.expected}, {"deviation", rate.deviation}};
}

}  // namespace

LayerTruth LayerTruthOf(const PromptPools& pools, int layer) {
  std::vector<size_t> all(kPool);
  for (size_t i = 0; i < kPool; ++i) all[i] = i;
  LayerTruth truth;
  truth.direction = MeanDifference(pools.harmful, pools.harmless, all, all, layer);
  truth.norm = std::sqrt(Dot(truth.direction, truth.direction));
  if (truth.norm == 0) return truth;
  Features unit = truth.direction;
  for (double& x : unit) x /= truth.norm;
  truth.off_direction_variance_harmful = OffVariance(pools.harmful, layer, unit);
  truth.off_direction_variance_harmless = OffVariance(pools.harmless, layer, unit);
  return truth;
}

double ExpectedCosine(const LayerTruth& layer, int n) {
  if (layer.norm == 0) return 0;
  const double share = static_cast<double>(kPool - n) / (static_cast<double>(n) * (kPool - 1));
  const double error =
      (layer.off_direction_variance_harmful + layer.off_direction_variance_harmless) * share;
  return 1 / std::sqrt(1 + error / (layer.norm * layer.norm));
}

OrderedJson TruthJson(const PlantedSpec& spec, uint64_t seed, const PromptPools& pools,
                      const StreamBasis& basis, const Expectation& expectation) {
  OrderedJson axes = OrderedJson::array();
  OrderedJson readouts = OrderedJson::array();
  for (int axis = 0; axis < spec.axes; ++axis) {
    Features unit{};
    unit[axis] = 1;
    axes.push_back(basis.Turn(ToLayout(unit)));
    readouts.push_back(basis.Turn(ToLayout(ReadoutVector(spec, axis))));
  }
  OrderedJson directions = OrderedJson::array();
  for (int layer = 0; layer < kLayers; ++layer) {
    const LayerTruth truth = LayerTruthOf(pools, layer);
    OrderedJson entry = {{"layer", layer}, {"usable", truth.norm > 0}};
    if (truth.norm > 0) {
      OrderedJson cosines = OrderedJson::array();
      for (int axis = 0; axis < spec.axes; ++axis) {
        cosines.push_back(truth.direction[axis] / truth.norm);
      }
      entry["norm"] = truth.norm;
      entry["cosine_with_axes"] = cosines;
      entry["off_direction_variance"] = {{"harmful", truth.off_direction_variance_harmful},
                                         {"harmless", truth.off_direction_variance_harmless}};
      entry["expected_cosine"] = ExpectedCosine(truth, kTrain);
      entry["cosine_deviation"] = expectation.cosine_deviation[layer];
      entry["direction"] = basis.Turn(ToLayout(truth.direction));
    }
    directions.push_back(entry);
  }
  return {
      {"format", "steer-planted-truth-1"},
      {"variant", spec.name},
      {"seed", seed},
      {"verdict", spec.verdict},
      {"verdict_probability", expectation.verdict_probability},
      {"sizes", {{"pool", kPool}, {"train", kTrain}, {"validation", kValidation}, {"test", kTest}}},
      {"layers",
       {{"count", kLayers},
        {"first_write", kFirstAxisLayer},
        {"full", kFullAxisLayer},
        {"chosen", kFullAxisLayer},
        {"chosen_probability", expectation.layer_probability},
        {"decision", kLayers - 1}}},
      {"hidden", kHidden},
      {"planted",
       {{"size", kSize}, {"threshold", spec.threshold}, {"axes", axes}, {"readouts", readouts}}},
      {"noise",
       {{"axis", spec.axis_noise},
        {"off_axis", spec.off_axis_noise},
        {"off_axis_dimensions", kNoise},
        {"readout_weight", spec.readout_noise}}},
      {"rates",
       {{"baseline_harmful", RateJson(expectation.baseline_harmful)},
        {"ablate", RateJson(expectation.ablate)},
        {"ablate_control", RateJson(expectation.ablate_control)},
        {"baseline_harmless", RateJson(expectation.baseline_harmless)},
        {"add", RateJson(expectation.add)},
        {"add_control", RateJson(expectation.add_control)}}},
      {"directions", directions}};
}

}  // namespace steer::planted
