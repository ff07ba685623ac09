// The analytic model of a planted network: what its heads gather from a prompt, and what its last
// block makes of it, edited or not. The network computes the same numbers token by token; tests
// compare the two. Exact for unedited runs, for ablation of a direction within the features and for
// addition of any vector at block kFullAxisLayer; to first order for ablating others.
#ifndef STEER_SERVER_PLANTED_FEATURES_H_
#define STEER_SERVER_PLANTED_FEATURES_H_

#include <array>
#include <vector>

#include "server/planted/lexicon.h"
#include "server/planted/spec.h"

namespace steer::planted {

// The prompt-dependent part of the stream at the last position, inputs of blocks kFullAxisLayer ..:
// coordinates kAxisOut + i.
inline constexpr int kFeatures = kAxes + 1 + kNoise;
inline constexpr int kDecoyFeature = kAxes;
inline constexpr int kNoiseFeature = kAxes + 1;
using Features = std::array<double, kFeatures>;

// What heads average over a prompt's words.
Features GatherFeatures(const PlantedSpec& spec, const std::vector<const Word*>& words);
// The part of `full` that is there at the input of block `layer`.
Features AtLayer(const Features& full, int layer);

double Dot(const Features& a, const Features& b);

// The readout vector of an axis: the axis itself and its share of the first noise dimension.
Features ReadoutVector(const PlantedSpec& spec, int axis);

// Readout minus threshold, by axis. `constant_shift` is what an edit added to the constant
// coordinate, which carries the threshold.
std::array<double, kAxes> ReadoutMargins(const PlantedSpec& spec, const Features& x,
                                         double constant_shift = 0);

// The mode in units of its nominal size: -1 where every margin is below -ramp, above zero if any
// margin is (or all are near it). `guard` is what the guard adds. A prompt refuses where the mode
// is above zero.
double Mode(const PlantedSpec& spec, const std::array<double, kAxes>& margins, double guard = 0);

// What one monitored coordinate adds to the mode of a guarded model: g tanh(g / 2) kGuardGain with
// g = x / kGuardKnee, which is |g| with a rounded foot. The monitored coordinates of a random
// vector of one kSize make about 3, from which no margin comes back.
inline constexpr double kGuardKnee = kSize / 20;
inline constexpr double kGuardGain = 1.0 / 24;
double GuardShare(double x);
// The monitored coordinates: silent ones, as many as there are neurons for.
inline constexpr int kGuardCoordinates = 90;
std::vector<int> GuardCoordinates();

// Removes the part along `unit`.
Features Ablate(const Features& x, const Features& unit);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_FEATURES_H_
