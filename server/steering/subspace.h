// Small linear algebra in float64 on the host: norms, orthonormal bases, angles between subspaces.
// Pure functions, no torch.
#ifndef STEER_SERVER_STEERING_SUBSPACE_H_
#define STEER_SERVER_STEERING_SUBSPACE_H_

#include <cstddef>
#include <vector>

#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace steer {

// Vectors of equal length, accumulated in order in float64.
double Dot(absl::Span<const float> a, absl::Span<const float> b);
double Dot(absl::Span<const double> a, absl::Span<const double> b);
double Norm(absl::Span<const float> a);
double Norm(absl::Span<const double> a);
// 0 if either is zero.
double Cosine(absl::Span<const float> a, absl::Span<const float> b);

// Orthonormal rows.
using Basis = std::vector<std::vector<double>>;

// A row that keeps less than this share of its norm once the rows before it are projected out
// depends on them linearly.
inline constexpr double kDependent = 1e-6;

// Adds `vector`, orthonormalised against the rows by modified Gram-Schmidt run twice ("twice is
// enough", Giraud et al. 2005). False, and nothing added, if it depends on them or is zero.
bool ExtendBasis(absl::Span<const float> vector, Basis* basis);

// Largest |<a_i, b_j>| over the rows: 0 if the spans are orthogonal.
double LargestCosine(const Basis& a, const Basis& b);

// True if both span the same subspace, to `tolerance` in the distance of each unit row from the
// other span.
bool SameSpan(const Basis& a, const Basis& b, double tolerance);

// |P v| / |v| for the projection P onto the span of `basis`; 0 for a zero v.
double ShareInside(absl::Span<const float> v, const Basis& basis);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_SUBSPACE_H_
