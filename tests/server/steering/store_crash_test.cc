// kill -9 at every durable step of the store: what is there afterwards is the old state or the new
// one.
#include <gmock/gmock.h>

#include <fstream>

#include "common/errors.h"
#include "tests/server/steering/fixtures.h"
#include "tests/server/steering/run_self.h"
#include "tests/server/steering/store_fixtures.h"

namespace steer {
namespace {

const std::vector<std::string>& Selected() {
  static const std::vector<std::string> hashes = {Sha256Hex("s0"), Sha256Hex("s1")};
  return hashes;
}

const Child kPut("put", [] {
  auto store = OpenStore(getenv("STEER_TEST_FOLDER"));
  EXPECT_TRUE(store->Put(MadeSet("a")).ok());
});

const Child kSelect("select", [] {
  auto store = OpenStore(getenv("STEER_TEST_FOLDER"));
  EXPECT_TRUE(store->RecordSelected(Sha256Hex("a"), Selected()).ok());
});

const Child kFailingWrites("failing writes", [] {
  auto store = OpenStore(getenv("STEER_TEST_FOLDER"));
  EXPECT_EQ(ReasonOf(store->Put(MadeSet("a"))), "STORE_UNWRITABLE");
  EXPECT_EQ(store->Get(Sha256Hex("a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store->Put(MadeSet("a")).ok());
  const absl::Status recorded = store->RecordSelected(Sha256Hex("a"), Selected());
  EXPECT_TRUE(absl::IsFailedPrecondition(recorded));
  EXPECT_EQ(ReasonOf(recorded), "STORE_UNWRITABLE");
  EXPECT_TRUE(store->CheckUnseen(Sha256Hex("a"), Selected()).ok());
  EXPECT_TRUE(store->RecordSelected(Sha256Hex("a"), Selected()).ok());
  EXPECT_FALSE(store->CheckUnseen(Sha256Hex("a"), Selected()).ok());
});

// A damaged ledger whose mending fails.
const Child kMend("mend", [] {
  std::vector<std::string> warnings;
  auto store = DirectionStore::Open(getenv("STEER_TEST_FOLDER"), &warnings);
  EXPECT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(warnings, testing::ElementsAre(testing::HasSubstr("; not mended: ")));
  EXPECT_FALSE((*store)->CheckUnseen(Sha256Hex("a"), Selected()).ok());
});

TEST(StoreCrash, APutIsThereWholeOrNotAtAll) {
  for (const std::string step : {"store.put.before_rename", "store.put.after_rename"}) {
    TempFolder folder;
    ASSERT_TRUE(Killed(RunSelf("put", step + "=kill", folder.path()))) << step;
    const bool renamed = step == "store.put.after_rename";
    {
      auto store = OpenStore(folder.path());
      EXPECT_EQ(store->Get(Sha256Hex("a")).ok(), renamed) << step;
    }
    EXPECT_EQ(folder.Files().size(), renamed ? 1u : 0u) << step;  // no half-written file remains
    // Resumed, it ends as if never stopped.
    ASSERT_TRUE(Passed(RunSelf("put", "", folder.path())));
    EXPECT_TRUE(OpenStore(folder.path())->Get(Sha256Hex("a")).ok());
  }
}

TEST(StoreCrash, ASelectionIsRememberedWholeOrNotAtAll) {
  for (const std::string step : {"store.ledger.before_write", "store.ledger.after_write"}) {
    TempFolder folder;
    ASSERT_TRUE(Passed(RunSelf("put", "", folder.path())));
    ASSERT_TRUE(Killed(RunSelf("select", step + "=kill", folder.path()))) << step;
    {
      auto store = OpenStore(folder.path());
      const int64_t wanted = step == "store.ledger.after_write" ? 2 : 0;
      EXPECT_EQ(store->Get(Sha256Hex("a"))->selected_prompts, wanted) << step;
    }
    ASSERT_TRUE(Passed(RunSelf("select", "", folder.path())));
    EXPECT_FALSE(OpenStore(folder.path())->CheckUnseen(Sha256Hex("a"), Selected()).ok());
  }
}

TEST(StoreCrash, ADamagedLedgerKeepsItsHashesWhereItsMendingIsCutShort) {
  for (const std::string end : {"error", "kill"}) {
    TempFolder folder;
    {
      auto sound = OpenStore(folder.path());
      ASSERT_TRUE(sound->Put(MadeSet("a")).ok());
      ASSERT_TRUE(sound->RecordSelected(Sha256Hex("a"), Selected()).ok());
    }
    std::ofstream(folder.path() + "/" + Sha256Hex("a") + ".selected", std::ios::app) << "more";
    const int status = RunSelf("mend", "store.ledger.before_write=" + end, folder.path());
    ASSERT_TRUE(end == "kill" ? Killed(status) : Passed(status)) << end;
    std::vector<std::string> warnings;
    auto store = DirectionStore::Open(folder.path(), &warnings);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ(warnings.size(), 1u) << end;
    EXPECT_EQ((*store)->Get(Sha256Hex("a"))->selected_prompts, 2) << end;
  }
}

TEST(StoreCrash, AFailedWriteIsAnErrorAndChangesNothing) {
  TempFolder folder;
  EXPECT_TRUE(Passed(RunSelf("failing writes",
                             "store.put.before_rename=error@1,store.ledger.before_write=error@1",
                             folder.path())));
}

}  // namespace
}  // namespace steer
