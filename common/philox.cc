#include "common/philox.h"

#include <cmath>
#include <numeric>
#include <utility>

namespace steer {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53} * c[0];
    uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return c;
}

uint64_t PhiloxStream::Word(uint64_t index) const {
  uint64_t block = index / 2;
  auto out = Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                         static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                        {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  return index % 2 == 0 ? uint64_t{out[1]} << 32 | out[0] : uint64_t{out[3]} << 32 | out[2];
}

double PhiloxStream::Uniform(uint64_t index) const {
  return static_cast<double>(Word(index) >> 11) * 0x1p-53;
}

double PhiloxStream::Normal(uint64_t index) const {
  uint64_t even = index & ~uint64_t{1};
  // (0, 1]: the logarithm of zero never happens.
  double u = 1.0 - Uniform(even);
  double angle = 2.0 * M_PI * Uniform(even + 1);
  double radius = std::sqrt(-2.0 * std::log(u));
  return index == even ? radius * std::cos(angle) : radius * std::sin(angle);
}

std::vector<size_t> SampleWithoutReplacement(const PhiloxStream& stream, size_t size,
                                             size_t count) {
  std::vector<size_t> indices(size);
  std::iota(indices.begin(), indices.end(), size_t{0});
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i) {
    uint64_t range = size - i;
    // Words at or above the largest multiple of `range` would favour small indices.
    uint64_t limit = UINT64_MAX - (UINT64_MAX % range + 1) % range;
    uint64_t draw;
    do {
      draw = stream.Word(word++);
    } while (draw > limit);
    std::swap(indices[i], indices[i + draw % range]);
  }
  indices.resize(count);
  return indices;
}

}  // namespace steer
