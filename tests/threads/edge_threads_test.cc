#include <atomic>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "server/rpc/edge_pool.h"
#include "server/rpc/request_ids.h"
#include "tests/threads/crowd.h"

namespace steer {
namespace {

TEST(EdgeThreads, ThePoolRunsEveryTaskOnce) {
  constexpr int kThreads = 6, kTasks = 300;
  absl::Mutex mutex;
  std::multiset<int> ran;
  {
    EdgePool pool(3);
    Crowd(kThreads, [&](int t) {
      for (int i = 0; i < kTasks; ++i) {
        const int task = t * kTasks + i;
        pool.Run([&, task] {
          // A task may queue another, as a handler does.
          pool.Run([&, task] {
            absl::MutexLock lock(&mutex);
            ran.insert(-1 - task);
          });
          absl::MutexLock lock(&mutex);
          ran.insert(task);
        });
      }
    });
  }
  ASSERT_EQ(ran.size(), static_cast<size_t>(2 * kThreads * kTasks));
  EXPECT_EQ(std::set<int>(ran.begin(), ran.end()).size(), ran.size());
}

TEST(EdgeThreads, OneIdIsClaimedByOneRequest) {
  constexpr int kThreads = 6, kIds = 400;
  RequestIds requests;
  std::vector<std::atomic<int>> winners(kIds);
  Crowd(kThreads, [&](int t) {
    for (int i = 0; i < kIds; ++i) {
      const absl::Status claimed = requests.Claim(absl::StrCat("id", i), absl::StrCat("digest", t));
      if (claimed.ok()) {
        ++winners[static_cast<size_t>(i)];
      } else {
        EXPECT_TRUE(absl::IsAlreadyExists(claimed)) << claimed;
      }
    }
  });
  for (const std::atomic<int>& winner : winners) EXPECT_EQ(winner.load(), 1);
}

}  // namespace
}  // namespace steer
