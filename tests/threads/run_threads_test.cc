#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/run/records.h"
#include "client/run/result_log.h"
#include "client/run/serial_observer.h"
#include "gtest/gtest.h"
#include "tests/threads/crowd.h"

namespace steer {
namespace {

constexpr int kThreads = 4, kRecords = 40;

// Each thread writes the log of a seed and takes half of it back, as servers of one run do, while
// another one reads everything, as metrics do.
TEST(RunThreads, SeedsShareOneLog) {
  const std::string folder = absl::StrCat(testing::TempDir(), "/run_threads");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/cells.jsonl";
  auto log = *ResultLog::Open(path);
  Crowd(kThreads + 1, [&](int t) {
    if (t == kThreads) {
      for (int i = 0; i < 200; ++i) {
        for (const Record& record : log->records()) EXPECT_FALSE(record.payload.empty());
      }
      return;
    }
    const std::string seed = absl::StrCat("seed-", t, "/");
    for (int i = 0; i < kRecords; ++i) {
      const std::string key = absl::StrCat(seed, i % (kRecords / 2));
      ASSERT_TRUE(log->Append({key, {{"kind", "test"}, {"value", i}}, Json::object()}).ok());
      const Record* held = log->Find(key);
      if (i == kRecords / 2 - 1) {
        RestartRecord restart;
        restart.seed = static_cast<uint64_t>(t);
        ASSERT_TRUE(log->Append(ToRecord(restart)).ok());
        EXPECT_EQ(log->Find(key), nullptr);
      }
      EXPECT_EQ(held->payload["value"], i);
    }
  });
  auto again = ResultLog::Open(path);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->records().size(), size_t{kThreads} * (kRecords / 2 + 1));
  for (int t = 0; t < kThreads; ++t) {
    EXPECT_EQ((*again)->Find(absl::StrCat("seed-", t, "/0"))->payload["value"], kRecords / 2);
  }
  std::filesystem::remove_all(folder);
}

// Not thread-safe by itself.
class Counter : public RunObserver {
 public:
  void OnCell(const CellRecord&) override { ++count; }
  void OnRows(uint64_t, int64_t, int64_t) override { ++count; }
  void OnSeedEnd(uint64_t) override { ++count; }
  int count = 0;
};

TEST(RunThreads, AnObserverSeesOneCallAtATime) {
  Counter counter;
  SerialObserver serial(&counter);
  Crowd(kThreads, [&](int t) {
    for (int i = 0; i < 500; ++i) {
      serial.OnCell(CellRecord());
      serial.OnRows(static_cast<uint64_t>(t), i, 500);
      serial.Do([&] { ++counter.count; });
    }
    serial.OnSeedEnd(static_cast<uint64_t>(t));
  });
  EXPECT_EQ(counter.count, kThreads * 1501);
}

}  // namespace
}  // namespace steer
