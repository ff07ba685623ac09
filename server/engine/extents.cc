#include "server/engine/extents.h"

#include <iterator>

namespace steer {

ExtentAllocator::ExtentAllocator(int64_t capacity) : capacity_(capacity) {
  if (capacity > 0) free_[0] = capacity;
}

absl::optional<int64_t> ExtentAllocator::Reserve(int64_t length) {
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    if (it->second < length) continue;
    int64_t begin = it->first;
    int64_t left = it->second - length;
    free_.erase(it);
    if (left > 0) free_[begin + length] = left;
    used_ += length;
    return begin;
  }
  return absl::nullopt;
}

void ExtentAllocator::Release(int64_t begin, int64_t length) {
  used_ -= length;
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && begin + length == next->first) {
    length += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == begin) {
      previous->second += length;
      return;
    }
  }
  free_[begin] = length;
}

}  // namespace steer
