#include "server/planted/features.h"

#include <algorithm>
#include <cmath>

#include "server/planted/layout.h"

namespace steer::planted {
Features GatherFeatures(const PlantedSpec& spec, const std::vector<const Word*>& words) {
  Features x{};
  const double share = 1.0 / static_cast<double>(words.size());
  for (const Word* word : words) {
    const int class_axis = AxisOfTopic(spec, word->topic);
    for (int axis = 0; axis < kAxes; ++axis) {
      const double in = word->axis_noise[axis] + (class_axis == axis ? kClassValue : 0.0);
      x[axis] += kAxisGain * share * in;
    }
    if (word->topic >= 0 && word->topic < kTopicsPerClass) {
      x[kDecoyFeature] += kDecoyGain * share * kTopicValue;
    }
    for (int i = 0; i < kNoise; ++i) x[kNoiseFeature + i] += share * word->noise[i];
  }
  return x;
}

Features AtLayer(const Features& full, int layer) {
  if (layer == 0) return Features{};
  Features x = full;
  for (int axis = 0; axis < kAxes; ++axis) x[axis] *= kAxisShare[layer];
  return x;
}

double Dot(const Features& a, const Features& b) {
  double sum = 0;
  for (int i = 0; i < kFeatures; ++i) sum += a[i] * b[i];
  return sum;
}

Features ReadoutVector(const PlantedSpec& spec, int axis) {
  Features readout{};
  readout[axis] = 1;
  if (axis == 0) readout[kNoiseFeature] = spec.readout_noise;
  return readout;
}

std::array<double, kAxes> ReadoutMargins(const PlantedSpec& spec, const Features& x,
                                         double constant_shift) {
  std::array<double, kAxes> margins{};
  const double threshold = spec.threshold * (1 + constant_shift / kConstantValue);
  for (int axis = 0; axis < spec.axes; ++axis) {
    margins[axis] = Dot(ReadoutVector(spec, axis), x) - threshold;
  }
  return margins;
}

double Mode(const PlantedSpec& spec, const std::array<double, kAxes>& margins, double guard) {
  double mode = guard + spec.axes - 1;
  for (int axis = 0; axis < spec.axes; ++axis) {
    mode += std::clamp(margins[axis] / spec.ramp, -1.0, 1.0);
  }
  return mode;
}

double GuardShare(double x) {
  const double g = x / kGuardKnee;
  return kGuardGain * g * std::tanh(g / 2);
}

std::vector<int> GuardCoordinates() {
  std::vector<int> coordinates(kGuardCoordinates);
  for (int i = 0; i < kGuardCoordinates; ++i) coordinates[i] = kSilent + i;
  return coordinates;
}

Features Ablate(const Features& x, const Features& unit) {
  Features out = x;
  const double along = Dot(x, unit);
  for (int i = 0; i < kFeatures; ++i) out[i] -= along * unit[i];
  return out;
}

}  // namespace steer::planted
