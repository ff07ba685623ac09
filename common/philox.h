// Philox4x32-10, the counter-based generator of Salmon et al. 2011 (SC11, "Parallel random numbers:
// as easy as 1, 2, 3"). A value depends on (key, stream, index) alone, so draws need no state, no
// order and no storage. Values are pinned by tests.
#ifndef STEER_COMMON_PHILOX_H_
#define STEER_COMMON_PHILOX_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace steer {

// The raw block function.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// One stream of draws: key = seed, and `stream` selects among 2^64 independent sequences.
class PhiloxStream {
 public:
  PhiloxStream(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  // The index-th 64-bit word.
  uint64_t Word(uint64_t index) const;
  // Uniform in [0, 1), 53 bits.
  double Uniform(uint64_t index) const;
  // Standard normal by Box-Muller; index-th and (index ^ 1)-th share a pair.
  double Normal(uint64_t index) const;

 private:
  uint64_t seed_;
  uint64_t stream_;
};

// `count` distinct indices below `size`, in drawn order (Fisher-Yates with rejection, so unbiased).
// Requires count <= size.
std::vector<size_t> SampleWithoutReplacement(const PhiloxStream& stream, size_t size, size_t count);

}  // namespace steer

#endif  // STEER_COMMON_PHILOX_H_
