#include "server/model/row_kernels.h"

#include <cmath>

#include "server/model/simd.h"

namespace steer {
namespace {

using c10::BFloat16;
using simd::Lanes;

template <typename T>
STEER_INLINE void NormRowOf(const T* x, int64_t n, const NormParameters& p, T* out) {
  Lanes squares = {};
  simd::ForEachGroup(n, [&](int64_t i, int64_t count) STEER_INLINE_LAMBDA {
    const Lanes v = simd::LoadGroup(x + i, count);
    squares += v * v;
  });
  const float mean = simd::Sum(squares) / static_cast<float>(n);
  const Lanes factor = simd::Splat(1.0f / std::sqrt(mean + p.epsilon));
  simd::ForEachGroup(n, [&](int64_t i, int64_t count) STEER_INLINE_LAMBDA {
    Lanes v = simd::LoadGroup(x + i, count) * factor;
    if (p.round_first) v = simd::RoundTo(v, x);
    simd::StoreGroup(v * simd::LoadGroup(p.gain + i, count), out + i, count);
  });
}

template <typename T>
STEER_INLINE void RotateHeadOf(const T* x, const float* cosine, const float* sine, int64_t half,
                               T* out) {
  simd::ForEachGroup(half, [&](int64_t i, int64_t count) STEER_INLINE_LAMBDA {
    const Lanes a = simd::LoadGroup(x + i, count), b = simd::LoadGroup(x + half + i, count);
    const Lanes c = simd::LoadGroup(cosine + i, count), s = simd::LoadGroup(sine + i, count);
    simd::StoreGroup(a * c - b * s, out + i, count);
    simd::StoreGroup(b * c + a * s, out + half + i, count);
  });
}

STEER_INLINE Lanes Silu(Lanes x) { return x / (1.0f + simd::Exp(-x)); }

STEER_INLINE Lanes GeluTanh(Lanes x) {
  const Lanes inner = 0.7978845608028654f * (x + 0.044715f * x * x * x);
  return 0.5f * x * (1.0f + simd::Tanh(inner));
}

template <typename T>
STEER_INLINE void GateRowOf(const T* gate, const T* up, int64_t n, Activation activation, T* out) {
  const bool silu = activation == Activation::kSilu;
  simd::ForEachGroup(n, [&](int64_t i, int64_t count) STEER_INLINE_LAMBDA {
    const Lanes g = simd::LoadGroup(gate + i, count);
    const Lanes active = simd::RoundTo(silu ? Silu(g) : GeluTanh(g), gate);
    simd::StoreGroup(active * simd::LoadGroup(up + i, count), out + i, count);
  });
}

}  // namespace

STEER_TARGET_CLONES
void NormRow(const float* x, int64_t n, const NormParameters& p, float* out) {
  NormRowOf(x, n, p, out);
}
STEER_TARGET_CLONES
void NormRow(const BFloat16* x, int64_t n, const NormParameters& p, BFloat16* out) {
  NormRowOf(x, n, p, out);
}
STEER_TARGET_CLONES
void RotateHead(const float* x, const float* cosine, const float* sine, int64_t half, float* out) {
  RotateHeadOf(x, cosine, sine, half, out);
}
STEER_TARGET_CLONES
void RotateHead(const BFloat16* x, const float* cosine, const float* sine, int64_t half,
                BFloat16* out) {
  RotateHeadOf(x, cosine, sine, half, out);
}
STEER_TARGET_CLONES
void GateRow(const float* gate, const float* up, int64_t n, Activation activation, float* out) {
  GateRowOf(gate, up, n, activation, out);
}
STEER_TARGET_CLONES
void GateRow(const BFloat16* gate, const BFloat16* up, int64_t n, Activation activation,
             BFloat16* out) {
  GateRowOf(gate, up, n, activation, out);
}

STEER_TARGET_CLONES
void SoftcapRow(float* x, int64_t n, float cap) {
  const float inverse = 1.0f / cap;
  simd::ForEachGroup(n, [&](int64_t i, int64_t count) STEER_INLINE_LAMBDA {
    simd::StoreGroup(cap * simd::Tanh(simd::LoadGroup(x + i, count) * inverse), x + i, count);
  });
}

std::string RowKernelVariant() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  if (__builtin_cpu_supports("x86-64-v4")) return "x86-64-v4";
  if (__builtin_cpu_supports("x86-64-v3")) return "x86-64-v3";
#endif
  return "baseline";
}

}  // namespace steer
