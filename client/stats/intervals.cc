#include "client/stats/intervals.h"

#include <algorithm>
#include <cmath>

namespace steer {
namespace {

// The continued fraction of I_x(a, b) by the modified Lentz method (DLMF 8.17.22), which converges
// fast for x < (a + 1) / (a + b + 2).
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kMaxTerms = 100000;
  auto guarded = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1.0;
  double d = 1.0 / guarded(1.0 - (a + b) * x / (a + 1.0));
  double fraction = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1.0 / guarded(1.0 + even * d);
    c = guarded(1.0 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1.0 / guarded(1.0 + odd * d);
    c = guarded(1.0 + odd / c);
    const double step = d * c;
    fraction *= step;
    if (std::abs(step - 1.0) < 1e-16) break;
  }
  return fraction;
}

// std::lgamma writes the global signgam; this one does not, so callers may be on any thread.
double LogGamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

// The x with I_x(a, b) = p. Bisection: monotone, bracketed, and exact to the last bits in 200
// halvings.
double BetaQuantile(double a, double b, double p) {
  double low = 0;
  double high = 1;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (RegularisedBeta(a, b, middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace

double RegularisedBeta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double log_front =
      LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x);
  if (x < (a + 1.0) / (a + b + 2.0)) return std::exp(log_front) * BetaFraction(a, b, x) / a;
  return 1.0 - std::exp(log_front) * BetaFraction(b, a, 1.0 - x) / b;
}

Interval WilsonInterval(int64_t count, int64_t n) {
  if (n <= 0) return {};
  const double total = static_cast<double>(n);
  const double p = static_cast<double>(count) / total;
  const double z2 = kNormal975 * kNormal975;
  const double scale = 1.0 + z2 / total;
  const double centre = (p + z2 / (2.0 * total)) / scale;
  const double half =
      kNormal975 * std::sqrt(p * (1.0 - p) / total + z2 / (4.0 * total * total)) / scale;
  // At 0 and n one bound is 0 or 1 exactly; rounding would leave 1e-17 beside it.
  return {count == 0 ? 0.0 : std::max(0.0, centre - half),
          count == n ? 1.0 : std::min(1.0, centre + half)};
}

Interval ClopperPearsonInterval(int64_t count, int64_t n, double level) {
  if (n <= 0) return {};
  const double tail = 0.5 * (1.0 - level);
  const double k = static_cast<double>(count);
  const double rest = static_cast<double>(n - count);
  return {count == 0 ? 0.0 : BetaQuantile(k, rest + 1.0, tail),
          count == n ? 1.0 : BetaQuantile(k + 1.0, rest, 1.0 - tail)};
}

}  // namespace steer
