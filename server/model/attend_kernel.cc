// Scaled dot-product attention of one token (row_kernels.h): scores, softmax, weighted values, each
// in an order set by the number of visible keys alone.
#include <type_traits>

#include "server/model/row_kernels.h"
#include "server/model/simd.h"

namespace steer {
namespace {

using c10::BFloat16;
using simd::kLanes;
using simd::Lanes;

STEER_INLINE int64_t RoundUp(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// Zero-padded float32 copy, so that every product runs over whole lanes.
template <typename T>
STEER_INLINE void Widen(const T* from, int64_t n, float* to) {
  simd::ForEachGroup(n, [&](int64_t i, int64_t count) STEER_INLINE_LAMBDA {
    simd::Store(simd::LoadGroup(from + i, count), to + i);
  });
}

// q . k over `width` floats, a multiple of 16.
STEER_INLINE float Dot(const float* q, const float* k, int64_t width) {
  Lanes sum = {};
  for (int64_t i = 0; i < width; i += kLanes) sum += simd::Load(q + i) * simd::Load(k + i);
  return simd::Sum(sum);
}

template <typename T>
STEER_INLINE void Scores(const AttendArguments<T>& a, const float* queries, float* key,
                         float* scores) {
  const int64_t width = RoundUp(a.head_dim), padded = RoundUp(a.visible);
  const bool direct = std::is_same_v<T, float> && width == a.head_dim;
  for (int64_t j = 0; j < a.visible; ++j) {
    const T* stored = a.keys + j * a.stride;
    const float* k = key;
    if (direct) {
      k = reinterpret_cast<const float*>(stored);
    } else {
      Widen(stored, a.head_dim, key);
    }
    for (int64_t h = 0; h < a.group; ++h) {
      scores[h * padded + j] = Dot(queries + h * width, k, width) * a.scale;
    }
  }
}

// Turns scores into unnormalised weights (zero beyond `n`); returns 1 / their sum.
STEER_INLINE float Softmax(float* scores, int64_t n, float softcap) {
  const int64_t padded = RoundUp(n);
  if (softcap > 0) {
    const float inverse = 1.0f / softcap;
    for (int64_t i = 0; i < padded; i += kLanes) {
      simd::Store(softcap * simd::Tanh(simd::Load(scores + i) * inverse), scores + i);
    }
  }
  float top = scores[0];
  for (int64_t i = 1; i < n; ++i) top = scores[i] > top ? scores[i] : top;
  Lanes sum = {};
  const Lanes highest = simd::Splat(top);
  for (int64_t i = 0; i < padded; i += kLanes) {
    Lanes weights = simd::Exp(simd::Load(scores + i) - highest);
    if (i + kLanes > n) {
      for (int64_t lane = n - i; lane < kLanes; ++lane) weights[lane] = 0;
    }
    sum += weights;
    simd::Store(weights, scores + i);
  }
  return 1.0f / simd::Sum(sum);
}

// Sum over keys, in their order, of weight x value for `kGroups` groups of lanes at once.
template <int kGroups, typename T>
STEER_INLINE void Gather(const AttendArguments<T>& a, const float* weights, float inverse,
                         int64_t from, T* out) {
  Lanes sums[kGroups] = {};
  const int64_t last = a.head_dim - from - (kGroups - 1) * kLanes;  // lanes in the last group
  for (int64_t j = 0; j < a.visible; ++j) {
    const T* value = a.values + j * a.stride + from;
    const Lanes weight = simd::Splat(weights[j]);
    for (int g = 0; g + 1 < kGroups; ++g) sums[g] += weight * simd::Load(value + g * kLanes);
    const T* tail = value + (kGroups - 1) * kLanes;
    sums[kGroups - 1] += weight * (last >= kLanes ? simd::Load(tail) : simd::LoadPart(tail, last));
  }
  for (int g = 0; g + 1 < kGroups; ++g) simd::Store(sums[g] * inverse, out + from + g * kLanes);
  simd::StoreGroup(sums[kGroups - 1] * inverse, out + from + (kGroups - 1) * kLanes,
                   last >= kLanes ? kLanes : last);
}

template <typename T>
STEER_INLINE void AttendOf(const AttendArguments<T>& a) {
  const int64_t width = RoundUp(a.head_dim), padded = RoundUp(a.visible);
  float* queries = a.scratch;
  float* key = queries + a.group * width;
  float* scores = key + width;
  for (int64_t h = 0; h < a.group; ++h) {
    Widen(a.queries + h * a.head_dim, a.head_dim, queries + h * width);
    for (int64_t j = a.visible; j < padded; ++j) scores[h * padded + j] = 0;
  }
  Scores(a, queries, key, scores);
  for (int64_t h = 0; h < a.group; ++h) {
    float* weights = scores + h * padded;
    const float inverse = Softmax(weights, a.visible, a.softcap);
    T* out = a.out + h * a.head_dim;
    int64_t from = 0;
    for (; from + 4 * kLanes <= width; from += 4 * kLanes)
      Gather<4>(a, weights, inverse, from, out);
    for (; from < width; from += kLanes) Gather<1>(a, weights, inverse, from, out);
  }
}

}  // namespace

int64_t AttendScratch(int64_t group, int64_t head_dim, int64_t visible) {
  return group * (RoundUp(head_dim) + RoundUp(visible)) + RoundUp(head_dim);
}

STEER_TARGET_CLONES
void Attend(const AttendArguments<float>& arguments) { AttendOf(arguments); }
STEER_TARGET_CLONES
void Attend(const AttendArguments<BFloat16>& arguments) { AttendOf(arguments); }

}  // namespace steer
