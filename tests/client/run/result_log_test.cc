#include "client/run/result_log.h"

#include <unistd.h>

#include <filesystem>

#include "client/run/records.h"
#include "client/run/run_folder.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

Record Make(const std::string& key, int value) {
  return {key, {{"kind", "test"}, {"value", value}}, {{"clock", 1.5}}};
}

class Log : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "cells.jsonl"; }
  void Write(int count) {
    auto log = *ResultLog::Open(path());
    for (int i = 0; i < count; ++i) ASSERT_TRUE(log->Append(Make("k" + std::to_string(i), i)).ok());
  }
  TemporaryFolder folder_;
};

TEST_F(Log, ReadsBackWhatWasWritten) {
  Write(3);
  auto log = ResultLog::Open(path());
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_EQ((*log)->records().size(), 3u);
  EXPECT_EQ((*log)->Find("k2")->payload["value"], 2);
  EXPECT_EQ((*log)->Find("k2")->observed["clock"], 1.5);
  EXPECT_EQ((*log)->Find("absent"), nullptr);
}

TEST_F(Log, EveryTornTailIsCutOffAndReported) {
  Write(3);
  std::string whole = ReadAll(path());
  size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (size_t cut = last + 1; cut < whole.size(); ++cut) {
    WriteAll(path(), whole.substr(0, cut));
    auto log = ResultLog::Open(path());
    ASSERT_TRUE(log.ok()) << cut << ": " << log.status();
    EXPECT_EQ((*log)->records().size(), 2u);
    EXPECT_EQ((*log)->torn_bytes(), static_cast<int64_t>(cut - last));
    ASSERT_TRUE((*log)->Append(Make("k2", 2)).ok());
    EXPECT_EQ(ReadAll(path()), whole);
  }
}

TEST_F(Log, EveryChangedByteOfAnEarlierRecordIsFound) {
  Write(2);
  std::string whole = ReadAll(path());
  size_t first = whole.find('\n');
  for (size_t at = 0; at < first; ++at) {
    std::string changed = whole;
    changed[at] = changed[at] == '7' ? '8' : '7';
    WriteAll(path(), changed);
    auto log = ResultLog::Open(path());
    EXPECT_FALSE(log.ok()) << at;
    EXPECT_EQ(ReasonOf(log.status()), "LOG_DAMAGED") << at;
  }
}

TEST_F(Log, AWholeLastRecordWithAWrongChecksumIsNotTorn) {
  Write(2);
  std::string whole = ReadAll(path());
  size_t at = whole.rfind("\"value\":1");
  whole[at + 8] = '5';
  WriteAll(path(), whole);
  EXPECT_EQ(ReasonOf(ResultLog::Open(path()).status()), "LOG_DAMAGED");
}

TEST_F(Log, TheSameKeyMustHaveTheSamePayload) {
  auto log = *ResultLog::Open(path());
  ASSERT_TRUE(log->Append(Make("k", 1)).ok());
  std::string before = ReadAll(path());
  EXPECT_TRUE(log->Append(Make("k", 1)).ok());
  EXPECT_EQ(ReadAll(path()), before);
  EXPECT_EQ(ReasonOf(log->Append(Make("k", 2))), "CELL_CONFLICT");
  // The same in the file itself.
  WriteAll(path(), before + before);
  EXPECT_TRUE(ResultLog::Open(path()).ok());
  std::filesystem::remove(path());
  log = *ResultLog::Open(path());
  ASSERT_TRUE(log->Append(Make("k", 2)).ok());
  WriteAll(path(), before + ReadAll(path()));
  EXPECT_EQ(ReasonOf(ResultLog::Open(path()).status()), "LOG_DAMAGED");
}

Record MakeRestart(uint64_t seed, int number) {
  return ToRecord(RestartRecord{std::string(64, 'd'), seed, number, std::string(64, 'b'), 2});
}

TEST_F(Log, ARestartTakesBackWhatItsSeedHadAndNoOther) {
  auto log = *ResultLog::Open(path());
  ASSERT_TRUE(log->Append(Make("seed-1/a", 1)).ok());
  ASSERT_TRUE(log->Append(Make("seed-10/a", 2)).ok());
  const Record* held = log->Find("seed-1/a");
  ASSERT_TRUE(log->Append(MakeRestart(1, 1)).ok());
  EXPECT_EQ(log->Find("seed-1/a"), nullptr);
  EXPECT_EQ(held->payload["value"], 1) << "what was found stays readable";
  EXPECT_EQ(log->Find("seed-10/a")->payload["value"], 2);
  // The same key anew, with another payload, which then holds as any other.
  ASSERT_TRUE(log->Append(Make("seed-1/a", 3)).ok());
  EXPECT_EQ(ReasonOf(log->Append(Make("seed-1/a", 1))), "CELL_CONFLICT");
  ASSERT_TRUE(log->Append(MakeRestart(1, 2)).ok());
  ASSERT_TRUE(log->Append(Make("seed-1/b", 4)).ok());
  auto keys = [](const ResultLog& of) {
    std::vector<std::string> keys;
    for (const Record& record : of.records()) keys.push_back(record.key);
    return keys;
  };
  const std::vector<std::string> expected = {"seed-10/a", "seed-1/restart-1", "seed-1/restart-2",
                                             "seed-1/b"};
  EXPECT_EQ(keys(*log), expected);
  // Read back, it is the same, and the file has kept everything.
  auto again = ResultLog::Open(path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(keys(**again), expected);
  EXPECT_NE(ReadAll(path()).find("\"value\":3"), std::string::npos);
}

TEST_F(Log, RecordsOfOneSeedAreThoseUnderItsPrefixInTheOrderWritten) {
  auto log = *ResultLog::Open(path());
  for (const char* key : {"seed-1/z", "seed-10/a", "seed-1/a", "seed-1", "seed-2/a", "seed-1/m"}) {
    ASSERT_TRUE(log->Append(Make(key, 0)).ok());
  }
  const auto keys = [&](const std::string& prefix) {
    std::string all;
    for (const Record& record : log->records(prefix)) all += record.key + " ";
    return all;
  };
  EXPECT_EQ(SeedPrefix(1), "seed-1/");
  EXPECT_EQ(keys(SeedPrefix(1)), "seed-1/z seed-1/a seed-1/m ");
  EXPECT_EQ(keys(SeedPrefix(3)), "");
  EXPECT_EQ(keys("").size(),
            std::string("seed-1/z seed-10/a seed-1/a seed-1 seed-2/a seed-1/m ").size());
  // What a restart took back is under no prefix; the restart itself is.
  ASSERT_TRUE(
      log->Append({"seed-1/restart-1", {{"kind", "restart"}, {"supersedes", "seed-1/"}}}).ok());
  ASSERT_TRUE(log->Append(Make("seed-1/a", 1)).ok());
  EXPECT_EQ(keys(SeedPrefix(1)), "seed-1/restart-1 seed-1/a ");
}

TEST_F(Log, ARecordMayNotTakeBackWhatIsNotItsOwn) {
  for (const char* prefix : {"", "seed-2/", "seed-1", "seed-1/x/"}) {
    std::filesystem::remove(path());
    Record record = MakeRestart(1, 1);
    record.payload[kSupersedes] = prefix;
    EXPECT_FALSE((*ResultLog::Open(path()))->Append(record).ok()) << prefix;
    EXPECT_EQ(ReasonOf(ResultLog::Open(path()).status()), "LOG_DAMAGED") << prefix;
  }
}

TEST_F(Log, ANumberThatIsNotFiniteIsRefused) {
  auto log = *ResultLog::Open(path());
  Record record = Make("k", 1);
  record.payload["value"] = 0.0 / 0.0;
  EXPECT_FALSE(log->Append(record).ok());
  EXPECT_EQ(ReadAll(path()), "");
}

TEST_F(Log, AFolderThatCannotBeWrittenIsADiskError) {
  EXPECT_EQ(ReasonOf(ResultLog::Open(folder_ / "absent/cells.jsonl").status()), "DISK");
}

TEST(Records, ReadBackEqual) {
  CellRecord cell;
  cell.plan_digest = std::string(64, 'd');
  cell.seed = 3;
  cell.stage = Stage::kSelection;
  cell.arm = {"layer-7/add/harmless", PromptClass::kHarmless, EditKind::kAdd, 7, 2};
  cell.layer = 7;
  cell.scores = true;
  cell.rows = {{true, RowQuality::kOk, RowFinish::kCertain, 5, -1.25, 0.1, "aa"},
               {false, RowQuality::kDegenerate, RowFinish::kLength, 16, 1e-300, 3.5, "bb"},
               {false, RowQuality::kNotJudged, RowFinish::kEndOfTurn, 1, 0.1 + 0.2, 0, "cc"}};
  cell.receipt = {100, 22, 1300, 13, 0.0812345, 1.5e-7, 8, 64};
  Record record = ToRecord(cell, Json::object());
  EXPECT_EQ(record.key, "seed-3/selection/layer-7/add/harmless");
  auto parsed = ParseCell({record.key, *ParseJson(*CanonicalJson(record.payload)), {}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, cell);
  EXPECT_EQ(parsed->count(), (RefusalCount{1, 3}));
}

TEST(Records, AnyMissingFieldIsFound) {
  CellRecord cell;
  cell.rows = {{true, RowQuality::kOk, RowFinish::kCertain, 5, 0, 0, "aa"}};
  Record record = ToRecord(cell, Json::object());
  for (auto it = record.payload.begin(); it != record.payload.end(); ++it) {
    if (it.key() == "kind") continue;
    Record broken = record;
    broken.payload.erase(it.key());
    EXPECT_EQ(ReasonOf(ParseCell(broken).status()), "LOG_DAMAGED") << it.key();
  }
}

TEST(Records, ARestartReadsBackEqualAndTakesBackItsOwnSeedOnly) {
  const RestartRecord restart{std::string(64, 'd'), 3, 2, std::string(64, 'b'), 17};
  const Record record = ToRecord(restart);
  EXPECT_EQ(record.key, "seed-3/restart-2");
  auto parsed = ParseRestart(record);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, restart);
  for (auto it = record.payload.begin(); it != record.payload.end(); ++it) {
    if (it.key() == "kind") continue;
    Record broken = record;
    broken.payload.erase(it.key());
    EXPECT_EQ(ReasonOf(ParseRestart(broken).status()), "LOG_DAMAGED") << it.key();
  }
  Record other = record;
  other.payload["seed"] = 4;
  EXPECT_EQ(ReasonOf(ParseRestart(other).status()), "LOG_DAMAGED");
}

// Numbers that a field cannot hold are damage, not other numbers.
TEST(Records, ANumberOutOfRangeIsFound) {
  CellRecord cell;
  cell.rows = {{true, RowQuality::kOk, RowFinish::kCertain, 5, 0, 0, "aa"}};
  const Record record = ToRecord(cell, Json::object());
  ASSERT_TRUE(ParseCell(record).ok());
  const std::pair<const char*, Json> changes[] = {
      {"/layer", 4294967296},
      {"/layer", -2147483649},
      {"/seed", -1},
      {"/arm_layer", 1.0},
      {"/control_draw", "0"},
      {"/control_draw", 2147483648},
      {"/receipt/sites", 1e9},
      {"/receipt/tokens", 18446744073709551615u},
      {"/rows/generated_tokens/0", 4294967301},
  };
  for (const auto& [pointer, value] : changes) {
    Record broken = record;
    broken.payload[Json::json_pointer(pointer)] = value;
    EXPECT_EQ(ReasonOf(ParseCell(broken).status()), "LOG_DAMAGED") << pointer << " " << value;
  }
  Record selection = ToRecord(SelectionRecord{"", 0, true, 1, {1, 2}});
  selection.payload["tied"][1] = 4294967298;
  EXPECT_EQ(ReasonOf(ParseSelection(selection).status()), "LOG_DAMAGED");
}

class Folder : public ::testing::Test {
 protected:
  Folder() {
    lock_.digest = std::string(64, '1');
    lock_.canonical = "{\"content\":1}";
  }
  TemporaryFolder folder_;
  Lock lock_;
};

TEST_F(Folder, HasOneWriterAtATimeAndNamesIt) {
  auto first = RunFolder::Open(folder_ / "run", lock_);
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = RunFolder::Open(folder_ / "run", lock_);
  EXPECT_EQ(ReasonOf(second.status()), "FOLDER_IN_USE");
  EXPECT_NE(second.status().message().find("process " + std::to_string(getpid())),
            std::string::npos);
  first->reset();
  EXPECT_TRUE(RunFolder::Open(folder_ / "run", lock_).ok());
}

TEST_F(Folder, BelongsToOneLock) {
  { ASSERT_TRUE(RunFolder::Open(folder_ / "run", lock_).ok()); }
  EXPECT_EQ(ReadAll(folder_ / "run/lock.json"), lock_.canonical);
  Lock other = lock_;
  other.canonical = "{\"content\":2}";
  EXPECT_EQ(ReasonOf(RunFolder::Open(folder_ / "run", other).status()), "FOLDER_OF_ANOTHER_LOCK");
}

TEST_F(Folder, RefusesWhatIsNoRunFolderAndTidiesLeftovers) {
  WriteAll(folder_ / "mine.txt", "x");
  EXPECT_EQ(ReasonOf(RunFolder::Open(folder_.path(), lock_).status()), "NOT_A_RUN_FOLDER");
  EXPECT_EQ(ReasonOf(RunFolder::OpenExisting(folder_.path()).status()), "NOT_A_RUN_FOLDER");
  std::filesystem::create_directories(folder_ / "run");
  WriteAll(folder_ / "run/lock.json.tmp.1.0", "half");
  ASSERT_TRUE(RunFolder::Open(folder_ / "run", lock_).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/lock.json.tmp.1.0"));
}

}  // namespace
}  // namespace steer
