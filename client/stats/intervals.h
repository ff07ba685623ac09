// 95 % intervals of a proportion. Pure functions.
#ifndef STEER_CLIENT_STATS_INTERVALS_H_
#define STEER_CLIENT_STATS_INTERVALS_H_

#include <cstdint>

namespace steer {

// The 97.5 % point of the standard normal distribution.
inline constexpr double kNormal975 = 1.959963984540054;

struct Interval {
  double low = 0;
  double high = 1;
};

// Wilson 1927 score interval, for display. [0, 1] for n = 0. Requires 0 <= count <= n.
Interval WilsonInterval(int64_t count, int64_t n);

// Clopper and Pearson 1934: never covers less than the nominal level, for bounds that decide
// something. [0, 1] for n = 0. Requires 0 <= count <= n and 0 < level < 1.
Interval ClopperPearsonInterval(int64_t count, int64_t n, double level = 0.95);

// The regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1.
double RegularisedBeta(double a, double b, double x);

}  // namespace steer

#endif  // STEER_CLIENT_STATS_INTERVALS_H_
