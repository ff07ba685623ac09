#include <atomic>

#include "common/digest.h"
#include "gtest/gtest.h"
#include "server/steering/direction_store.h"
#include "tests/server/steering/fixtures.h"
#include "tests/server/steering/store_fixtures.h"
#include "tests/threads/crowd.h"

namespace steer {
namespace {

// A selection that has returned is seen by every later question, whoever asks.
TEST(StoreThreads, ARecordedPromptIsNeverUnseenAgain) {
  constexpr int kThreads = 5, kPrompts = 30;
  TempFolder folder;
  auto store = OpenStore(folder.path());
  const DirectionSet set = MadeSet("set", false, {-1}, 1, 2);
  ASSERT_TRUE(store->Put(set).ok());
  std::atomic<int> recorded{0};
  const auto hash = [](int i) { return Sha256Hex("prompt " + std::to_string(i)); };
  Crowd(kThreads, [&](int t) {
    if (t == 0) {
      for (int i = 0; i < kPrompts; ++i) {
        EXPECT_TRUE(store->RecordSelected(set.set_id, std::vector<std::string>{hash(i)}).ok());
        recorded.store(i + 1);
      }
      return;
    }
    while (recorded.load() < kPrompts) {
      const int seen = recorded.load();
      if (seen > 0)
        EXPECT_FALSE(store->CheckUnseen(set.set_id, std::vector<std::string>{hash(seen - 1)}).ok());
      EXPECT_TRUE(
          store->CheckUnseen(set.set_id, std::vector<std::string>{hash(kPrompts + t)}).ok());
      EXPECT_TRUE(store->Get(set.set_id).ok());
    }
  });
  EXPECT_EQ(store->Get(set.set_id)->selected_prompts, kPrompts);
}

}  // namespace
}  // namespace steer
