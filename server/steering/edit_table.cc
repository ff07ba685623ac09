// The CPU kernel. A token's row is read into float64 once, edited there and rounded once to the
// stream's type; so a row's result depends on its own values and its own edit alone, in one fixed
// order.
#include "server/steering/edit_table.h"

#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "common/failpoint.h"
#include "server/steering/edit_lookup.h"

namespace steer {
namespace {

// Products of two float32 are exact in float64; only the sums round.
double Dot(const float* a, const double* x, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * x[i];
  return sum;
}

double Squares(const double* x, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

// To nearest even, once.
void Round(double value, float* out) { *out = static_cast<float>(value); }

// By way of float32 rounded to odd. Rounded to nearest there, a value just beside the middle of two
// bfloat16 would land on the middle, and the second rounding would take it to the wrong side.
void Round(double value, c10::BFloat16* out) {
  const float nearest = static_cast<float>(value);
  auto bits = std::bit_cast<uint32_t>(nearest);
  if (nearest != value) {
    if (std::abs(nearest) > std::abs(value)) --bits;  // towards zero; infinity to the largest float
    bits |= 1;
  }
  *out = static_cast<c10::BFloat16>(std::bit_cast<float>(bits));
}

// Dose and residual of receipts. Off only in tests/bench, which measures what they cost.
#ifdef STEER_BARE
constexpr bool kMeasured = false;
#else
constexpr bool kMeasured = true;
#endif

// One thread's room for a row.
struct Scratch {
  explicit Scratch(int64_t hidden)
      : before(static_cast<size_t>(hidden)), after(static_cast<size_t>(hidden)) {}
  std::vector<double> before, after;
  std::vector<double> weights;
};

template <typename T>
void EditRow(const LinearEdit& edit, int64_t hidden, T* row, Scratch* scratch, EditTally* tally) {
  double* before = scratch->before.data();
  double* after = scratch->after.data();
  for (int64_t i = 0; i < hidden; ++i) after[i] = before[i] = static_cast<float>(row[i]);
  // All dots before any update: U^T x is of the unedited x.
  scratch->weights.resize(static_cast<size_t>(edit.k));
  for (int k = 0; k < edit.k; ++k) {
    scratch->weights[k] = edit.b[k] - Dot(edit.u.data() + k * hidden, before, hidden);
  }
  for (int k = 0; k < edit.k; ++k) {
    const double weight = scratch->weights[k];
    const float* v = edit.v.data() + k * hidden;
    for (int64_t i = 0; i < hidden; ++i) after[i] += weight * v[i];
  }
  double change = 0;
  for (int64_t i = 0; i < hidden; ++i) {
    T rounded;
    Round(after[i], &rounded);
    // An equal value keeps its bits: -0.0 + 0.0 would lose its sign, and a zero edit is no edit.
    if (static_cast<float>(rounded) != static_cast<float>(row[i])) row[i] = rounded;
    if (!kMeasured) continue;
    after[i] = static_cast<float>(row[i]);
    change += (after[i] - before[i]) * (after[i] - before[i]);
  }
  ++tally->edits;
  if (!kMeasured) return;
  const double norm = std::sqrt(Squares(before, hidden));
  if (norm != 0) tally->dose += std::sqrt(change) / norm;
  if (edit.ablated == 0) return;
  // Of the values as stored. The largest over all unit vectors of the subspace is the projection's
  // norm.
  double left = 0;
  for (int k = 0; k < edit.ablated; ++k) {
    const double along = Dot(edit.ablated_basis.data() + k * hidden, after, hidden);
    left += along * along;
  }
  const double norm_after = std::sqrt(Squares(after, hidden));
  if (norm_after != 0) {
    tally->largest_residual = LargerOrNaN(tally->largest_residual, std::sqrt(left) / norm_after);
  }
}

template <typename T>
int64_t EditRows(const std::vector<TokenEdit>& edits, int64_t hidden, T* rows,
                 absl::Span<EditTally> tallies) {
  const int64_t count = static_cast<int64_t>(edits.size());
  int64_t applied = 0;
#pragma omp parallel if (count > 1) reduction(+ : applied)
  {
    Scratch scratch(hidden);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < count; ++i) {
      EditRow(*edits[i].edit, hidden, rows + edits[i].token * hidden, &scratch,
              &tallies[static_cast<size_t>(edits[i].token)]);
      ++applied;
    }
  }
  return applied;
}

}  // namespace

int64_t ApplyEditsCpu(int site, EditTarget target, absl::Span<const EditEntry* const> entries,
                      at::Tensor& x, absl::Span<EditTally> tallies) {
  if (FailpointSkips("edit.skip_site")) return 0;
  std::vector<TokenEdit> edits = FindEdits(site, target, entries, x, tallies.size());
  TORCH_CHECK(x.is_cpu() && x.is_contiguous(), "ApplyEditsCpu: x is not a contiguous CPU tensor");
  if (edits.empty()) return 0;
  const int64_t hidden = x.size(1);
  switch (x.scalar_type()) {
    case at::kFloat:
      return EditRows(edits, hidden, x.mutable_data_ptr<float>(), tallies);
    case at::kBFloat16:
      return EditRows(edits, hidden, x.mutable_data_ptr<c10::BFloat16>(), tallies);
    default:
      TORCH_CHECK(false, "ApplyEditsCpu: x is ", x.scalar_type(), ", not float32 or bfloat16");
  }
}

}  // namespace steer
