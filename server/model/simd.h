// Sixteen float32 lanes by compiler vectors, so that the order of every sum is written here and not
// chosen by a compiler or a machine's vector width. Private to the CPU kernels; functions that use
// it carry STEER_TARGET_CLONES.
#ifndef STEER_SERVER_MODEL_SIMD_H_
#define STEER_SERVER_MODEL_SIMD_H_

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <cstring>

#include "common/target_clones.h"

// Lanes are passed by value between functions that are always inlined, so no calling convention is
// involved.
#pragma GCC diagnostic ignored "-Wpsabi"

#define STEER_INLINE inline __attribute__((always_inline))
#define STEER_INLINE_LAMBDA __attribute__((always_inline))

namespace steer::simd {

inline constexpr int64_t kLanes = 16;
typedef float Lanes __attribute__((vector_size(64)));
typedef int32_t IntLanes __attribute__((vector_size(64)));
typedef uint32_t BitLanes __attribute__((vector_size(64)));
typedef uint16_t HalfLanes __attribute__((vector_size(32)));

STEER_INLINE Lanes Splat(float value) { return Lanes{} + value; }

STEER_INLINE Lanes Load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}
STEER_INLINE Lanes Load(const c10::BFloat16* from) {
  HalfLanes half;
  std::memcpy(&half, from, sizeof(half));
  return (Lanes)(__builtin_convertvector(half, BitLanes) << 16);
}
STEER_INLINE void Store(Lanes lanes, float* to) { std::memcpy(to, &lanes, sizeof(lanes)); }
STEER_INLINE HalfLanes ToBFloat16(Lanes lanes) {
  const BitLanes bits = (BitLanes)lanes;
  BitLanes rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;  // to nearest, ties to even
  rounded = lanes == lanes ? rounded : BitLanes{} + 0x7fc0u;
  return __builtin_convertvector(rounded, HalfLanes);
}
STEER_INLINE void Store(Lanes lanes, c10::BFloat16* to) {
  const HalfLanes half = ToBFloat16(lanes);
  std::memcpy(to, &half, sizeof(half));
}

// The first `count` < 16 lanes; the rest are zero on loading and kept on storing.
template <typename T>
STEER_INLINE Lanes LoadPart(const T* from, int64_t count) {
  T buffer[kLanes] = {};
  std::memcpy(buffer, from, static_cast<size_t>(count) * sizeof(T));
  return Load(buffer);
}
template <typename T>
STEER_INLINE void StorePart(Lanes lanes, T* to, int64_t count) {
  T buffer[kLanes];
  Store(lanes, buffer);
  std::memcpy(to, buffer, static_cast<size_t>(count) * sizeof(T));
}

// Rounds to T and back.
STEER_INLINE Lanes RoundTo(Lanes lanes, const float*) { return lanes; }
STEER_INLINE Lanes RoundTo(Lanes lanes, const c10::BFloat16*) {
  return (Lanes)(__builtin_convertvector(ToBFloat16(lanes), BitLanes) << 16);
}

// Calls body(index, lanes-in-use) for every group of lanes of a row of n.
template <typename Body>
STEER_INLINE void ForEachGroup(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
  if (i < n) body(i, n - i);
}
template <typename T>
STEER_INLINE Lanes LoadGroup(const T* from, int64_t count) {
  return count == kLanes ? Load(from) : LoadPart(from, count);
}
template <typename T>
STEER_INLINE void StoreGroup(Lanes lanes, T* to, int64_t count) {
  if (count == kLanes) {
    Store(lanes, to);
  } else {
    StorePart(lanes, to, count);
  }
}

// A fixed tree: lane i with i + 8, then 4, 2, 1.
STEER_INLINE float Sum(Lanes x) {
  x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  return (x[0] + x[2]) + (x[1] + x[3]);
}

// e^x within 2 units in the last place for x <= 88; zero (or a tiny number) below -87; NaN for NaN.
STEER_INLINE Lanes Exp(Lanes x) {
  const Lanes low = Splat(-87.0f), high = Splat(88.0f), magic = Splat(12582912.0f);
  x = x < low ? low : x;
  x = x > high ? high : x;
  // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
  const Lanes shifted = x * 1.44269504088896341f + magic;
  const Lanes n = shifted - magic;
  const Lanes r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Lanes p = Splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // Scaled by a product, so that a NaN stays one.
  const IntLanes exponent = ((IntLanes)shifted - (IntLanes)magic + 127) << 23;
  return p * (Lanes)exponent;
}

// 1 - 2 / (e^2x + 1): absolute error 1e-7.
STEER_INLINE Lanes Tanh(Lanes x) {
  const Lanes limit = Splat(15.0f);
  x = x > limit ? limit : x;
  x = x < -limit ? -limit : x;
  return 1.0f - 2.0f / (Exp(x + x) + 1.0f);
}

}  // namespace steer::simd

#endif  // STEER_SERVER_MODEL_SIMD_H_
