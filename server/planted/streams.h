// Which Philox stream each random part of a planted model is drawn from, so that changing one part
// leaves the others as they are.
#ifndef STEER_SERVER_PLANTED_STREAMS_H_
#define STEER_SERVER_PLANTED_STREAMS_H_

#include <cstdint>

namespace steer::planted {

inline constexpr uint64_t kBasisStream = 1;
inline constexpr uint64_t kGainStream = 2;
inline constexpr uint64_t kLexiconStream = 3;
inline constexpr uint64_t kHarmfulPromptStream = 4;
inline constexpr uint64_t kHarmlessPromptStream = 5;
inline constexpr uint64_t kOrderStream = 6;
// The truth file's simulated experiments: stream kTrialStream + 4 * trial + part.
inline constexpr uint64_t kTrialStream = 1000;

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_STREAMS_H_
