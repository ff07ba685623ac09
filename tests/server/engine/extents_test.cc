#include "server/engine/extents.h"

#include <map>

#include <gtest/gtest.h>

#include "common/philox.h"

namespace steer {
namespace {

TEST(Extents, FirstFitAndMerging) {
  ExtentAllocator slots(10);
  EXPECT_EQ(*slots.Reserve(4), 0);
  EXPECT_EQ(*slots.Reserve(4), 4);
  EXPECT_FALSE(slots.Reserve(3));
  EXPECT_EQ(*slots.Reserve(2), 8);
  EXPECT_EQ(slots.used(), 10);
  slots.Release(0, 4);
  slots.Release(8, 2);
  EXPECT_FALSE(slots.Reserve(6));
  slots.Release(4, 4);
  EXPECT_EQ(*slots.Reserve(10), 0);
}

// Random reservations never overlap, and all space comes back.
TEST(Extents, RandomUseKeepsTheInvariants) {
  PhiloxStream random(1, 0);
  ExtentAllocator slots(1000);
  std::map<int64_t, int64_t> held;
  int64_t used = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    if (random.Uniform(3 * i) < 0.55) {
      int64_t length = 1 + static_cast<int64_t>(random.Uniform(3 * i + 1) * 60);
      absl::optional<int64_t> begin = slots.Reserve(length);
      if (!begin) continue;
      ASSERT_GE(*begin, 0);
      ASSERT_LE(*begin + length, 1000);
      auto next = held.lower_bound(*begin);
      if (next != held.end()) {
        ASSERT_GE(next->first, *begin + length);
      }
      if (next != held.begin()) {
        ASSERT_LE(std::prev(next)->first + std::prev(next)->second, *begin);
      }
      held[*begin] = length;
      used += length;
    } else if (!held.empty()) {
      auto it = std::next(held.begin(), static_cast<long>(random.Uniform(3 * i + 2) * held.size()));
      slots.Release(it->first, it->second);
      used -= it->second;
      held.erase(it);
    }
    ASSERT_EQ(slots.used(), used);
  }
  for (auto [begin, length] : held) slots.Release(begin, length);
  EXPECT_EQ(*slots.Reserve(1000), 0);
}

}  // namespace
}  // namespace steer
