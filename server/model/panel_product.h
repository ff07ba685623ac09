// y = x W^T + b with every sum in one order, so that a row's bits depend on the row alone: not on
// its place, its mates, the number of rows or the number of threads. For processors on which the
// libraries' products do not keep that (see Linear). CPU; float32 arithmetic.
#ifndef STEER_SERVER_MODEL_PANEL_PRODUCT_H_
#define STEER_SERVER_MODEL_PANEL_PRODUCT_H_

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace steer {

// Outputs that lie side by side in a packed weight.
inline constexpr int64_t kPanel = 16;

// Elements of a packed weight: whole panels.
inline int64_t PackedSize(int64_t out, int64_t in) {
  return (out + kPanel - 1) / kPanel * kPanel * in;
}

// `weight` [out, in] -> `packed` [panels, in, kPanel], zeros behind the last output.
void PackPanels(const float* weight, int64_t out, int64_t in, float* packed);
void PackPanels(const c10::BFloat16* weight, int64_t out, int64_t in, c10::BFloat16* packed);

// `x` [rows, in], `bias` [out] or null, `y` [rows, out]; all contiguous. bfloat16 results are
// rounded once. Uses the caller's OpenMP threads.
void MultiplyPanels(const float* x, int64_t rows, int64_t in, const float* packed,
                    const float* bias, int64_t out, float* y);
void MultiplyPanels(const c10::BFloat16* x, int64_t rows, int64_t in, const c10::BFloat16* packed,
                    const c10::BFloat16* bias, int64_t out, c10::BFloat16* y);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_PANEL_PRODUCT_H_
