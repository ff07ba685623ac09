#include "server/model/panel_product.h"

#include <algorithm>
#include <vector>

#include "server/model/simd.h"

namespace steer {
namespace {

using c10::BFloat16;

// Half a panel: a register of AVX2. Twelve of them hold the sums of six rows.
constexpr int64_t kHalf = kPanel / 2;
typedef float HalfPanel __attribute__((vector_size(32)));
typedef uint32_t HalfBits __attribute__((vector_size(32)));
typedef uint16_t HalfWords __attribute__((vector_size(16)));
constexpr int64_t kRows = 6;
// Inputs that are summed in registers at a time: such a piece of a panel stays in the nearest
// cache. Short sums of sums also round less than long ones.
constexpr int64_t kDepth = 256;

STEER_INLINE HalfPanel LoadHalf(const float* from) {
  HalfPanel lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}
STEER_INLINE HalfPanel LoadHalf(const BFloat16* from) {
  HalfWords words;
  std::memcpy(&words, from, sizeof(words));
  return (HalfPanel)(__builtin_convertvector(words, HalfBits) << 16);
}

// totals[r] += sum over k of x[r][k] * panel[k], k ascending, for R rows that are `in` apart.
template <int R, typename T>
STEER_INLINE void AddPiece(const T* x, int64_t in, const T* panel, int64_t depth, float* totals) {
  HalfPanel low[R] = {}, high[R] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const HalfPanel w0 = LoadHalf(panel + k * kPanel), w1 = LoadHalf(panel + k * kPanel + kHalf);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const auto a = static_cast<float>(x[r * in + k]);
      const HalfPanel v = {a, a, a, a, a, a, a, a};  // one broadcast; a sum with zero would be two
      low[r] += v * w0;
      high[r] += v * w1;
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    float* total = totals + r * kPanel;
    low[r] += LoadHalf(total);
    high[r] += LoadHalf(total + kHalf);
    std::memcpy(total, &low[r], sizeof(low[r]));
    std::memcpy(total + kHalf, &high[r], sizeof(high[r]));
  }
}

// One panel of outputs for all rows; totals [rows, kPanel] are overwritten.
template <typename T>
STEER_INLINE void MultiplyPanelOf(const T* x, int64_t rows, int64_t in, const T* panel,
                                  float* totals) {
  std::fill_n(totals, rows * kPanel, 0.0f);
  for (int64_t begin = 0; begin < in; begin += kDepth) {
    const int64_t depth = std::min(kDepth, in - begin);
    const T* piece = panel + begin * kPanel;
    int64_t row = 0;
    for (; row + kRows <= rows; row += kRows) {
      AddPiece<kRows>(x + row * in + begin, in, piece, depth, totals + row * kPanel);
    }
    for (; row + 2 <= rows; row += 2) {
      AddPiece<2>(x + row * in + begin, in, piece, depth, totals + row * kPanel);
    }
    for (; row < rows; ++row) {
      AddPiece<1>(x + row * in + begin, in, piece, depth, totals + row * kPanel);
    }
  }
}

STEER_TARGET_CLONES
void MultiplyPanel(const float* x, int64_t rows, int64_t in, const float* panel, float* totals) {
  MultiplyPanelOf(x, rows, in, panel, totals);
}
STEER_TARGET_CLONES
void MultiplyPanel(const BFloat16* x, int64_t rows, int64_t in, const BFloat16* panel,
                   float* totals) {
  MultiplyPanelOf(x, rows, in, panel, totals);
}

template <typename T>
void Pack(const T* weight, int64_t out, int64_t in, T* packed) {
  const int64_t panels = (out + kPanel - 1) / kPanel;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < panels; ++p) {
    T* panel = packed + p * in * kPanel;
    for (int64_t k = 0; k < in; ++k) {
      for (int64_t j = 0; j < kPanel; ++j) {
        const int64_t o = p * kPanel + j;
        panel[k * kPanel + j] = o < out ? weight[o * in + k] : T(0.0f);
      }
    }
  }
}

template <typename T>
void Multiply(const T* x, int64_t rows, int64_t in, const T* packed, const T* bias, int64_t out,
              T* y) {
  const int64_t panels = (out + kPanel - 1) / kPanel;
#pragma omp parallel
  {
    std::vector<float> totals(static_cast<size_t>(rows * kPanel));
#pragma omp for schedule(static)
    for (int64_t p = 0; p < panels; ++p) {
      MultiplyPanel(x, rows, in, packed + p * in * kPanel, totals.data());
      const int64_t first = p * kPanel, count = std::min(kPanel, out - first);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t j = 0; j < count; ++j) {
          float sum = totals[static_cast<size_t>(row * kPanel + j)];
          if (bias != nullptr) sum += static_cast<float>(bias[first + j]);
          y[row * out + first + j] = static_cast<T>(sum);
        }
      }
    }
  }
}

}  // namespace

void PackPanels(const float* weight, int64_t out, int64_t in, float* packed) {
  Pack(weight, out, in, packed);
}
void PackPanels(const BFloat16* weight, int64_t out, int64_t in, BFloat16* packed) {
  Pack(weight, out, in, packed);
}
void MultiplyPanels(const float* x, int64_t rows, int64_t in, const float* packed,
                    const float* bias, int64_t out, float* y) {
  Multiply(x, rows, in, packed, bias, out, y);
}
void MultiplyPanels(const BFloat16* x, int64_t rows, int64_t in, const BFloat16* packed,
                    const BFloat16* bias, int64_t out, BFloat16* y) {
  Multiply(x, rows, in, packed, bias, out, y);
}

}  // namespace steer
