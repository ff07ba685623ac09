// The coordinates of the residual stream of a planted model, before it is turned (stream_basis.h),
// and the amplitudes that live on them. One unit of `kSize` is the distance between the class means
// along a planted axis, so every other amplitude reads as a multiple of what the experiment
// measures.
//
// Words carry: the constant, a flag ("I am an instruction word"), a topic, per-word noise, and two
// balance coordinates that give every word the same norm, so that RMSNorm divides all of them by
// the same number and a head's average is linear in them. Template and answer tokens carry: the
// constant, a query flag ("gather here"), and a one-hot identity that drives the next token. Blocks
// write at query positions: the axis, a decoy, noise, topics and the mode. The remaining
// coordinates are silent.
#ifndef STEER_SERVER_PLANTED_LAYOUT_H_
#define STEER_SERVER_PLANTED_LAYOUT_H_

#include <vector>

namespace steer::planted {

// Wide, because what a random direction does by chance falls with 1 / kHidden.
inline constexpr int kHidden = 192;
inline constexpr int kLayers = 6;
inline constexpr int kHeads = 6;
inline constexpr int kKvHeads = 3;
inline constexpr int kHeadDim = 32;
inline constexpr int kIntermediate = 192;
inline constexpr double kRopeTheta = 1e6;
inline constexpr double kNormEpsilon = 1e-6;

inline constexpr int kAxes =
    2;  // coordinates kept for planted axes; only `distributed` uses the second
inline constexpr int kNoise = 6;   // off-axis noise dimensions
inline constexpr int kTopics = 6;  // 0..2 harmful, 3..5 harmless

// First coordinate of each group.
inline constexpr int kConstant =
    0;  // stays in place when the basis is turned, as real models' loud coordinate does
inline constexpr int kNoiseBalance = 1;
inline constexpr int kStageBalance = 2;
inline constexpr int kFlag = 3;
inline constexpr int kQuery = 4;
inline constexpr int kSink = 5;
inline constexpr int kTopicIn = 6;
inline constexpr int kClassIn = kTopicIn + kTopics;    // written at words by block 1
inline constexpr int kAxisNoiseIn = kClassIn + kAxes;  // per-word noise along the axes
inline constexpr int kNoiseIn = kAxisNoiseIn + kAxes;  // per-word noise off the axes
inline constexpr int kTopicClean = kNoiseIn + kNoise;  // written at words by block 4
inline constexpr int kAxisOut =
    kTopicClean + kTopics;  // the planted axes: written by blocks 2 and 3
inline constexpr int kDecoyOut =
    kAxisOut + kAxes;                            // tells the classes apart, read by nobody: block 0
inline constexpr int kNoiseOut = kDecoyOut + 1;  // block 0
inline constexpr int kTopicOut = kNoiseOut + kNoise;  // block 5
inline constexpr int kMode = kTopicOut + kTopics;     // block 5: above zero refuses
inline constexpr int kIdentity = kMode + 1;
inline constexpr int kIdentities = 26;
inline constexpr int kSilent = kIdentity + kIdentities;  // .. kHidden - 1

// Amplitudes, in the stream's own unit.
inline constexpr double kSize = 4.0;
inline constexpr double kConstantValue = 3.0 * kSize;
// Large, because a head's scores follow it: what a random direction takes from it as it is ablated
// differs between nouns and other words, and with it the share of nouns in an average.
inline constexpr double kFlagValue = 4.0 * kSize;
inline constexpr double kQueryValue = 2.0 * kSize;
inline constexpr double kSinkValue = 3.0 * kSize;
inline constexpr double kTopicValue = 2.0 * kSize;  // kTopicIn and kTopicClean
inline constexpr double kClassValue = 2.0 * kSize;  // kClassIn
inline constexpr double kStageBalanceValue =
    3.0 * kSize;  // 3^2 - 2^2 - 2^2 > 0: two later writes of 2 fit in
inline constexpr double kIdentityValue = 3.0 * kSize;

// Nouns are this share of the words of a middling prompt; the gain that turns their average into
// one kSize.
inline constexpr double kNounShare = 4.0 / 9.0;
inline constexpr double kAxisGain = kSize / (kClassValue * kNounShare);
inline constexpr double kTopicGain = kSize / (kTopicValue * kNounShare);
inline constexpr double kDecoySize = 0.15 * kSize;
inline constexpr double kDecoyGain = kDecoySize / (kTopicValue * kNounShare);

// Share of the axis that has been written at the input of each block: blocks 2 and 3 write it.
inline constexpr double kAxisShare[kLayers] = {0, 0, 0, 0.4, 1, 1};
inline constexpr int kFirstAxisLayer = 3;
inline constexpr int kFullAxisLayer = 4;

// A vector over the layout's coordinates.
using LayoutVector = std::vector<double>;
inline LayoutVector ZeroVector() { return LayoutVector(kHidden, 0.0); }

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_LAYOUT_H_
