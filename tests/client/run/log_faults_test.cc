// The result log and the run folder on a disk that fails, and on files that nobody should have written.
#include <errno.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/run/result_log.h"
#include "client/run/run_folder.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/system_fault.h"

namespace steer {
namespace {

class LogFaults : public ::testing::Test {
 protected:
  static Record One(const std::string& key) { return {key, {{"kind", "test"}}}; }
  // A line whose checksum is right, whatever else it holds.
  static std::string Sealed(Json line) {
    line["sha256"] = Sha256Hex(line.dump());
    return line.dump() + "\n";
  }
  std::string path() const { return folder_ / "cells.jsonl"; }
  TemporaryFolder folder_;
};

TEST_F(LogFaults, AFailedAppendLeavesNoPartOfARecordAndIsFinal) {
  const struct {
    const char* call;
    const char* message;
  } faults[] = {{"write", "cannot write a result"}, {"fdatasync", "cannot sync a result"}};
  for (const auto& [call, message] : faults) {
    std::filesystem::remove(path());
    auto log = *ResultLog::Open(path());
    ASSERT_TRUE(log->Append(One("a")).ok());
    const std::string before = ReadAll(path());
    {
      SystemFault fault(call, ENOSPC);
      const absl::Status status = log->Append(One("b"));
      EXPECT_EQ(ReasonOf(status), "DISK") << call;
      EXPECT_TRUE(absl::StartsWith(status.message(), message)) << status;
    }
    EXPECT_EQ(ReadAll(path()), before) << call;
    EXPECT_EQ(log->Find("b"), nullptr);
    // The disk is well again; what it lost is not known.
    const absl::Status status = log->Append(One("c"));
    EXPECT_EQ(ReasonOf(status), "DISK");
    EXPECT_TRUE(absl::StrContains(status.message(), "failed before; run again")) << status;
    EXPECT_TRUE((*ResultLog::Open(path()))->Append(One("b")).ok());
  }
}

TEST_F(LogFaults, HalfARecordThatCannotBeCutOffIsSaidAndCutOffAtTheNextStart) {
  auto log = *ResultLog::Open(path());
  ASSERT_TRUE(log->Append(One("a")).ok());
  const std::string before = ReadAll(path());
  {
    SystemFault write("write", ENOSPC, 1), cut("ftruncate", EIO);
    const absl::Status status = log->Append(One("b"));
    EXPECT_EQ(ReasonOf(status), "DISK");
    EXPECT_TRUE(absl::StartsWith(status.message(), "half a record is left: ")) << status;
  }
  EXPECT_GT(ReadAll(path()).size(), before.size());
  for (const char* call : {"ftruncate", "fdatasync"}) {
    SystemFault fault(call, EIO);
    const absl::Status status = ResultLog::Open(path()).status();
    EXPECT_EQ(ReasonOf(status), "DISK") << call;
    EXPECT_TRUE(absl::StartsWith(status.message(), "cannot cut off a torn record")) << status;
    // The second fault strikes after the cut; the tear is made anew.
    WriteAll(path(), before + "{\"key\"");
  }
  const auto again = ResultLog::Open(path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->torn_bytes(), 6);
  EXPECT_EQ(ReadAll(path()), before);
}

TEST_F(LogFaults, AnInterruptedWriteGoesOn) {
  auto log = *ResultLog::Open(path());
  SystemFault fault("write", EINTR);
  ASSERT_TRUE(log->Append(One("a")).ok());
  EXPECT_EQ(fault.struck(), 1);
  EXPECT_EQ((*ResultLog::Open(path()))->records().size(), 1u);
}

TEST_F(LogFaults, AFileThatItsFolderMayForgetIsNoLog) {
  SystemFault fault("fsync", EIO);
  const absl::Status status = ResultLog::Open(path()).status();
  EXPECT_EQ(ReasonOf(status), "DISK");
  EXPECT_TRUE(absl::StartsWith(status.message(), "cannot create the result log")) << status;
}

TEST_F(LogFaults, APathWithoutAFolderIsInTheWorkingFolder) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  const auto log = ResultLog::Open("cells.jsonl");
  std::filesystem::current_path(before);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(LogFaults, WhatCannotBeReadIsNotOpened) {
  std::filesystem::create_directory(path());
  EXPECT_TRUE(absl::IsFailedPrecondition(ResultLog::Open(path()).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadResultLog(folder_ / "absent").status()));
}

TEST_F(LogFaults, ALogThatIsOnlyReadTakesNothing) {
  LogContents contents;
  contents.records = {One("a")};
  const auto log = ResultLog::ReadOnly(std::move(contents));
  EXPECT_NE(log->Find("a"), nullptr);
  EXPECT_TRUE(absl::IsFailedPrecondition(log->Append(One("b"))));
  EXPECT_EQ(log->Find("b"), nullptr);
}

// Lines that are whole JSON, with a sound checksum where they have one, and yet no records.
TEST_F(LogFaults, LinesThatAreNoRecordsAreDamage) {
  const std::string good = Sealed({{"schema", kRecordSchema},
                                   {"key", "a"},
                                   {"payload", Json::object()},
                                   {"observed", Json::object()}});
  ASSERT_TRUE(ParseResultLog(good, "log").ok());
  EXPECT_EQ(ParseResultLog(good, "log")->odd_line, 0);
  const Json object = Json::object();
  const std::pair<std::string, const char*> lines[] = {
      {"[]\n", "not an object"},
      {"{}\n", "\"schema\" is missing"},
      {Sealed({{"schema", "steer-cell-9"}}), "schema 'steer-cell-9' is not steer-cell-1"},
      {"{\"schema\":\"steer-cell-1\"}\n", "\"sha256\" is missing"},
      {Sealed({{"schema", kRecordSchema}}), "\"key\" is missing"},
      {Sealed({{"schema", kRecordSchema}, {"key", "a"}}), "not a record"},
      {Sealed({{"schema", kRecordSchema}, {"key", "a"}, {"payload", 5}, {"observed", object}}),
       "not a record"},
      {Sealed({{"schema", kRecordSchema}, {"key", "a"}, {"payload", object}, {"observed", 5}}),
       "not a record"},
      {Sealed({{"schema", kRecordSchema}, {"key", "a"}, {"payload", object}, {"seen", object}}),
       "not a record"},
      {Sealed({{"schema", kRecordSchema}, {"key", "a"}, {"payload", object}}), "not a record"},
  };
  for (const auto& [line, message] : lines) {
    const absl::Status status = ParseResultLog(line + good, "log").status();
    EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED") << line;
    EXPECT_TRUE(absl::StartsWith(status.message(), "log:1: ")) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), message)) << status;
  }
}

TEST_F(LogFaults, WhatIsTakenBackIsAWord) {
  auto log = *ResultLog::Open(path());
  Record record = One("seed-1/restart-1");
  record.payload[kSupersedes] = 5;
  EXPECT_FALSE(log->Append(record).ok());
  EXPECT_EQ(ReasonOf(ResultLog::Open(path()).status()), "LOG_DAMAGED");
}

class FolderFaults : public ::testing::Test {
 protected:
  FolderFaults() {
    lock_.digest = std::string(64, '1');
    lock_.canonical = "{\"content\":1}";
  }
  std::string Reason(const char* call, int error, int after = 0) {
    SystemFault fault(call, error, after);
    return ReasonOf(RunFolder::Open(run_, lock_).status());
  }
  TemporaryFolder folder_;
  const std::string run_ = folder_ / "run";
  Lock lock_;
};

TEST_F(FolderFaults, AFolderThatCannotBeWrittenIsADiskError) {
  EXPECT_EQ(Reason("ftruncate", EIO), "DISK");
  EXPECT_EQ(Reason("pwrite", ENOSPC), "DISK");
  EXPECT_EQ(Reason("fsync", EIO), "DISK");  // of the lock's copy
  EXPECT_FALSE(std::filesystem::exists(run_ + "/lock.json"));
  EXPECT_EQ(Reason("readdir", EIO), "DISK");
  EXPECT_EQ(Reason("none", 0), "");
  SystemFault fault("readdir", EIO);
  EXPECT_EQ(ReasonOf(RunFolder::OpenExisting(run_).status()), "DISK");
}

TEST_F(FolderFaults, TheLockEndsWithItsHolderEvenIfItsNameStays) {
  {
    auto taken = RunFolder::Open(run_, lock_);
    ASSERT_TRUE(taken.ok()) << taken.status();
    SystemFault fault("ftruncate", EIO);
    taken->reset();
    EXPECT_EQ(fault.struck(), 1);
  }
  EXPECT_FALSE(ReadAll(run_ + "/.writer").empty());
  EXPECT_TRUE(RunFolder::Open(run_, lock_).ok());
}

TEST_F(FolderFaults, AHolderWhoseNameCannotBeReadIsStillInTheWay) {
  const auto taken = RunFolder::Open(run_, lock_);
  ASSERT_TRUE(taken.ok()) << taken.status();
  WriteAll(run_ + "/.writer", std::string(5000, 'x'));
  const absl::Status status = RunFolder::Open(run_, lock_).status();
  EXPECT_EQ(ReasonOf(status), "FOLDER_IN_USE");
  EXPECT_TRUE(absl::StrContains(status.message(), "looked at by another process; wait")) << status;
}

TEST_F(FolderFaults, AFolderOnADiskWithoutLocksIsLookedAtAllTheSame) {
  { ASSERT_TRUE(RunFolder::Open(run_, lock_).ok()); }
  EXPECT_TRUE((*FolderHold::Take(run_))->held());
  SystemFault fault("flock", ENOLCK);
  const auto hold = FolderHold::Take(run_);
  ASSERT_TRUE(hold.ok()) << hold.status();
  EXPECT_FALSE((*hold)->held());
}

TEST_F(FolderFaults, ALockThatCannotBeReadIsNotReplaced) {
  std::filesystem::create_directories(run_ + "/lock.json");
  EXPECT_TRUE(absl::IsFailedPrecondition(RunFolder::Open(run_, lock_).status()));
}

}  // namespace
}  // namespace steer
