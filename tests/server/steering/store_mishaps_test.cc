// What goes wrong under a store's files without a crash: something else stands where a file should, a file was exchanged, a folder went
// away. As any user, root too.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "common/errors.h"
#include "common/files.h"
#include "server/steering/direction_store.h"
#include "tests/server/steering/fixtures.h"
#include "tests/server/steering/store_fixtures.h"
#include "tests/support/as_nobody.h"

namespace steer {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class StoreMishaps : public testing::Test {
 protected:
  std::string SetFile(const std::string& set_id) const {
    return folder_.path() + "/" + set_id + ".safetensors";
  }
  std::string LedgerFile(const std::string& set_id) const {
    return folder_.path() + "/" + set_id + ".selected";
  }
  void Stored(const DirectionSet& set) { ASSERT_TRUE(OpenStore(folder_.path())->Put(set).ok()); }
  // Neither unlink nor rename takes a folder for a file.
  static void MakeBlock(const std::string& path) { fs::create_directories(path + "/inside"); }

  TempFolder folder_;
};

TEST_F(StoreMishaps, AnExchangedFileIsNoticedWithStatesAndWithout) {
  const DirectionSet set = MadeSet("a"), other = MadeSet("a", true, {-1});
  ASSERT_EQ(set.set_id, other.set_id);
  ASSERT_NE(set.content_digest, other.content_digest);
  TempFolder elsewhere;
  ASSERT_TRUE(OpenStore(elsewhere.path())->Put(other).ok());
  Stored(set);
  auto store = OpenStore(folder_.path());
  fs::copy_file(elsewhere.path() + "/" + set.set_id + ".safetensors", SetFile(set.set_id),
                fs::copy_options::overwrite_existing);
  for (const absl::Status& status :
       {store->Get(set.set_id).status(), store->GetWithStates(set.set_id).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ReasonOf(status), "STORED_SET_DAMAGED");
    EXPECT_THAT(std::string(status.message()), HasSubstr("replaced while the store was open"));
  }
}

TEST_F(StoreMishaps, ASetThatCannotBeRemovedStays) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  auto store = OpenStore(folder_.path());
  fs::remove(SetFile(set.set_id));
  MakeBlock(SetFile(set.set_id));
  EXPECT_THAT(std::string(store->Delete(set.set_id).message()), HasSubstr("cannot remove"));
  EXPECT_EQ(store->List("", "", 10)->size(), 1u);
  EXPECT_EQ(store->usage().sets, 1);
  fs::remove_all(SetFile(set.set_id));
  EXPECT_TRUE(store->Delete(set.set_id).ok());
  EXPECT_EQ(store->usage().sets, 0);
}

TEST_F(StoreMishaps, ALedgerThatCannotBeRemovedIsTold) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  auto store = OpenStore(folder_.path());
  MakeBlock(LedgerFile(set.set_id));
  EXPECT_THAT(std::string(store->Delete(set.set_id).message()), HasSubstr(LedgerFile(set.set_id)));
  // The set itself is gone, on disk too.
  EXPECT_EQ(store->Get(set.set_id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(SetFile(set.set_id)));
}

TEST_F(StoreMishaps, ADeletionInAFolderThatWentAwayIsTold) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  auto store = OpenStore(folder_.path());
  fs::remove_all(folder_.path());
  EXPECT_THAT(std::string(store->Delete(set.set_id).message()),
              HasSubstr("cannot open " + folder_.path()));
}

TEST_F(StoreMishaps, ASelectionThatCannotBeWrittenIsNotRemembered) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  auto store = OpenStore(folder_.path());
  MakeBlock(LedgerFile(set.set_id));
  const std::vector<std::string> hashes = {Sha256Hex("p")};
  const absl::Status status = store->RecordSelected(set.set_id, hashes);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "STORE_UNWRITABLE");
  EXPECT_THAT(std::string(status.message()), HasSubstr(LedgerFile(set.set_id)));
  EXPECT_TRUE(store->CheckUnseen(set.set_id, hashes).ok());
  fs::remove_all(LedgerFile(set.set_id));
  EXPECT_TRUE(store->RecordSelected(set.set_id, hashes).ok());
  EXPECT_FALSE(store->CheckUnseen(set.set_id, hashes).ok());
}

// What cannot be copied aside is mended all the same: its hashes are what counts.
TEST_F(StoreMishaps, ADamagedLedgerThatCannotBeCopiedIsMended) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  std::ofstream(LedgerFile(set.set_id)) << Sha256Hex("p") << "\ncut short";
  MakeBlock(LedgerFile(set.set_id) + ".damaged");
  std::vector<std::string> warnings;
  auto store = DirectionStore::Open(folder_.path(), &warnings);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("the 1 hashes that can be read are kept"),
                                          HasSubstr("it cannot be copied"))));
  store->reset();
  EXPECT_EQ(OpenStore(folder_.path())->Get(set.set_id)->selected_prompts, 1);
}

TEST_F(StoreMishaps, AFolderThatCannotBeListedIsNamed) {
  fs::permissions(folder_.path(), fs::perms::owner_write | fs::perms::owner_exec);
  absl::Status status;
  {
    const AsNobody nobody(folder_.path());
    if (!fs::exists(folder_.path() + "/."))
      GTEST_SKIP() << "others cannot enter the folder of temporary files";
    status = DirectionStore::Open(folder_.path(), nullptr).status();
  }
  fs::permissions(folder_.path(), fs::perms::owner_all);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot list " + folder_.path()));
}

TEST_F(StoreMishaps, ASetWhoseLedgerCannotBeReadIsLeftOutAndKept) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  MakeBlock(LedgerFile(set.set_id));
  std::vector<std::string> warnings;
  auto store = DirectionStore::Open(folder_.path(), &warnings);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("is left out")));
  EXPECT_EQ((*store)->usage().sets, 0);
  EXPECT_TRUE(fs::exists(SetFile(set.set_id)));
  // Nor can it be put anew, and so lose what was selected on with it.
  EXPECT_FALSE((*store)->Put(set).ok());
  EXPECT_EQ((*store)->usage().sets, 0);
}

TEST_F(StoreMishaps, ADamagedFileThatCannotBeMovedIsStillNotUsed) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  std::ofstream(SetFile(set.set_id)) << "damaged";
  MakeBlock(SetFile(set.set_id) + ".damaged");
  std::vector<std::string> warnings;
  auto store = DirectionStore::Open(folder_.path(), &warnings);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("it cannot be moved aside")));
  EXPECT_EQ((*store)->usage().sets, 0);
}

TEST_F(StoreMishaps, NobodyNeedsToHearTheWarnings) {
  const DirectionSet set = MadeSet("a");
  Stored(set);
  std::ofstream(SetFile(set.set_id)) << "damaged";
  auto store = DirectionStore::Open(folder_.path(), nullptr);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->usage().sets, 0);
}

TEST_F(StoreMishaps, LeftoversThatCannotBeRemovedStopTheStart) {
  const std::string id = Sha256Hex("a");
  for (const std::string& path : {SetFile(id) + ".tmp.1.2", LedgerFile(id)}) {
    MakeBlock(path);
    EXPECT_THAT(std::string(DirectionStore::Open(folder_.path(), nullptr).status().message()),
                HasSubstr("cannot remove " + path));
    fs::remove_all(path);
  }
}

TEST_F(StoreMishaps, FilesOfOthersAreLeftAlone) {
  for (const char* name : {"notes.tmp.1", "notes.safetensors", "notes.selected"}) {
    std::ofstream(folder_.path() + "/" + name) << "not ours";
  }
  EXPECT_EQ(OpenStore(folder_.path())->usage().sets, 0);
  EXPECT_THAT(folder_.Files(), ElementsAre("notes.safetensors", "notes.selected", "notes.tmp.1"));
}

TEST_F(StoreMishaps, AFolderThatCannotBeIsRefused) {
  const std::string file = folder_.path() + "/file";
  std::ofstream(file) << "no folder";
  EXPECT_FALSE(DirectionStore::Open(file + "/store", nullptr).ok());
}

TEST_F(StoreMishaps, UsageCountsFilesAndTheRoomThatIsLeft) {
  const DirectionSet a = MadeSet("a"), b = MadeSet("b", false);
  Stored(a);
  Stored(b);
  auto store = OpenStore(folder_.path());
  const StoreUsage usage = store->usage();
  EXPECT_EQ(usage.sets, 2);
  EXPECT_EQ(usage.bytes, static_cast<int64_t>(fs::file_size(SetFile(a.set_id)) +
                                              fs::file_size(SetFile(b.set_id))));
  const auto space = fs::space(folder_.path());
  EXPECT_GT(usage.free_bytes, 0);
  EXPECT_LE(usage.free_bytes, static_cast<int64_t>(space.capacity));
  fs::remove_all(folder_.path());
  EXPECT_EQ(store->usage().free_bytes, -1);
}

TEST_F(StoreMishaps, WhatIsNotThereHasNoStates) {
  EXPECT_EQ(OpenStore(folder_.path())->GetWithStates(Sha256Hex("a")).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace steer
