#include "server/steering/subspace.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace steer {
namespace {

template <typename A, typename B>
double DotOf(absl::Span<const A> a, absl::Span<const B> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void ProjectOut(const Basis& basis, std::vector<double>* v) {
  for (const std::vector<double>& row : basis) {
    const double along = Dot(row, *v);
    for (size_t i = 0; i < v->size(); ++i) (*v)[i] -= along * row[i];
  }
}

}  // namespace

double Dot(absl::Span<const float> a, absl::Span<const float> b) { return DotOf(a, b); }
double Dot(absl::Span<const double> a, absl::Span<const double> b) { return DotOf(a, b); }
double Norm(absl::Span<const float> a) { return std::sqrt(DotOf(a, a)); }
double Norm(absl::Span<const double> a) { return std::sqrt(DotOf(a, a)); }

double Cosine(absl::Span<const float> a, absl::Span<const float> b) {
  const double norms = Norm(a) * Norm(b);
  return norms > 0 ? Dot(a, b) / norms : 0;
}

bool ExtendBasis(absl::Span<const float> vector, Basis* basis) {
  std::vector<double> row(vector.begin(), vector.end());
  const double norm = Norm(row);
  if (!(norm > 0)) return false;
  for (double& value : row) value /= norm;
  ProjectOut(*basis, &row);
  const double kept = Norm(row);
  if (kept < kDependent) return false;
  for (double& value : row) value /= kept;
  ProjectOut(*basis, &row);
  const double again = Norm(row);
  for (double& value : row) value /= again;
  basis->push_back(std::move(row));
  return true;
}

double LargestCosine(const Basis& a, const Basis& b) {
  double largest = 0;
  for (const std::vector<double>& x : a) {
    for (const std::vector<double>& y : b) largest = std::max(largest, std::abs(Dot(x, y)));
  }
  return largest;
}

bool SameSpan(const Basis& a, const Basis& b, double tolerance) {
  if (a.size() != b.size()) return false;
  for (std::vector<double> row : a) {
    ProjectOut(b, &row);
    if (Norm(row) > tolerance) return false;
  }
  return true;
}

double ShareInside(absl::Span<const float> v, const Basis& basis) {
  const double norm = Norm(v);
  if (!(norm > 0)) return 0;
  double squares = 0;
  for (const std::vector<double>& row : basis) {
    const double along = DotOf(v, absl::Span<const double>(row)) / norm;
    squares += along * along;
  }
  return std::sqrt(squares);
}

}  // namespace steer
