// Contiguous runs of KV arena slots, first fit. A row's whole length is known when it starts, so
// runs never grow. Not thread-safe.
#ifndef STEER_SERVER_ENGINE_EXTENTS_H_
#define STEER_SERVER_ENGINE_EXTENTS_H_

#include <cstdint>
#include <map>

#include "absl/types/optional.h"

namespace steer {

class ExtentAllocator {
 public:
  explicit ExtentAllocator(int64_t capacity);
  // First slot of a free run of `length` > 0 slots; nullopt if there is none now.
  absl::optional<int64_t> Reserve(int64_t length);
  // A run that Reserve gave out, whole.
  void Release(int64_t begin, int64_t length);
  int64_t capacity() const { return capacity_; }
  int64_t used() const { return used_; }

 private:
  int64_t capacity_;
  int64_t used_ = 0;
  std::map<int64_t, int64_t> free_;  // begin -> length; neighbours are merged
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_EXTENTS_H_
