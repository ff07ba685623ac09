// The turn from layout coordinates to the checkpoint's stream. A planted direction that is a
// coordinate axis would hide errors that mix coordinates up, so the stream is reflected at a random
// hyperplane (one Householder mirror, exactly orthogonal and its own inverse) that leaves only the
// constant coordinate in place.
#ifndef STEER_SERVER_PLANTED_STREAM_BASIS_H_
#define STEER_SERVER_PLANTED_STREAM_BASIS_H_

#include <cstdint>

#include "server/planted/layout.h"

namespace steer::planted {

// Immutable, thread-safe.
class StreamBasis {
 public:
  explicit StreamBasis(uint64_t seed);
  // Layout to stream, and stream to layout: the same reflection. `v` has kHidden entries.
  LayoutVector Turn(const LayoutVector& v) const;

 private:
  LayoutVector mirror_;  // unit normal, zero at kConstant
};

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_STREAM_BASIS_H_
