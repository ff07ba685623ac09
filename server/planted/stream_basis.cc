#include "server/planted/stream_basis.h"

#include <cmath>

#include "common/philox.h"
#include "server/planted/streams.h"

namespace steer::planted {

StreamBasis::StreamBasis(uint64_t seed) : mirror_(ZeroVector()) {
  const PhiloxStream stream(seed, kBasisStream);
  double square = 0;
  for (int i = kConstant + 1; i < kHidden; ++i) {
    mirror_[i] = stream.Normal(i);
    square += mirror_[i] * mirror_[i];
  }
  for (double& x : mirror_) x /= std::sqrt(square);
}

LayoutVector StreamBasis::Turn(const LayoutVector& v) const {
  double product = 0;
  for (int i = 0; i < kHidden; ++i) product += v[i] * mirror_[i];
  LayoutVector out = v;
  for (int i = 0; i < kHidden; ++i) out[i] -= 2 * product * mirror_[i];
  return out;
}

}  // namespace steer::planted
