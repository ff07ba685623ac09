// Files and tokens on a machine whose calls fail: each failure is named, and leaves nothing half done.
#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/bearer_token.h"
#include "common/errors.h"
#include "common/files.h"
#include "tests/support/system_fault.h"

namespace steer {
namespace {

class FilesFaults : public testing::Test {
 protected:
  FilesFaults() : folder_(absl::StrCat(testing::TempDir(), "/files_faults_", getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~FilesFaults() override { std::filesystem::remove_all(folder_); }
  int Entries() const {
    const std::filesystem::directory_iterator all(folder_);
    return static_cast<int>(std::distance(begin(all), end(all)));
  }
  const std::string folder_;
  const std::string path_ = folder_ + "/file";
};

TEST_F(FilesFaults, AFailedReadIsNamedAndAnInterruptedOneGoesOn) {
  ASSERT_TRUE(WriteFileAtomically(path_, "some bytes").ok());
  {
    SystemFault fault("fstat", EIO);
    EXPECT_TRUE(absl::StartsWith(ReadFile(path_).status().message(), "cannot stat " + path_));
  }
  {
    SystemFault fault("read", EIO);
    EXPECT_TRUE(absl::StartsWith(ReadFile(path_).status().message(), "cannot read " + path_));
  }
  {
    SystemFault fault("read", EINTR);
    EXPECT_EQ(*ReadFile(path_), "some bytes");
    EXPECT_EQ(fault.struck(), 1);
  }
  {
    // It became shorter while it was read: what there was.
    SystemFault fault("read", 0);
    EXPECT_EQ(*ReadFile(path_), "");
  }
  {
    SystemFault fault("mmap", ENOMEM);
    const auto mapped = MappedFile::Open(path_);
    EXPECT_TRUE(absl::StartsWith(mapped.status().message(), "cannot map " + path_));
  }
  EXPECT_EQ(*ReadFile(path_), "some bytes");
}

TEST_F(FilesFaults, AFailedWriteKeepsTheOldFileAndLeavesNoOther) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old").ok());
  const struct {
    const char* call;
    const char* message;
  } faults[] = {{"write", "cannot write "}, {"fsync", "cannot sync "}, {"close", "cannot close "}};
  for (const auto& [call, message] : faults) {
    SystemFault fault(call, ENOSPC);
    const absl::Status status = WriteFileAtomically(path_, "new");
    EXPECT_TRUE(absl::StartsWith(status.message(), absl::StrCat(message, path_, ".tmp.")))
        << status;
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << call;
    EXPECT_EQ(*ReadFile(path_), "old") << call;
    EXPECT_EQ(Entries(), 1) << call;
  }
  {
    // The first of two failures is the one to tell.
    SystemFault write("write", ENOSPC), close("close", EIO);
    EXPECT_TRUE(absl::StartsWith(WriteFileAtomically(path_, "new", "files_faults").message(),
                                 "cannot write "));
    EXPECT_EQ(close.struck(), 1);
  }
  {
    SystemFault fault("write", EINTR);
    EXPECT_TRUE(WriteFileAtomically(path_, "new").ok());
    EXPECT_EQ(fault.struck(), 1);
  }
  EXPECT_EQ(*ReadFile(path_), "new");
}

TEST_F(FilesFaults, AFolderThatCannotBeSyncedIsAnError) {
  SystemFault fault("fsync", EIO, 1);  // the file's own goes well
  const absl::Status status = WriteFileAtomically(path_, "new");
  EXPECT_TRUE(absl::StartsWith(status.message(), "cannot sync " + folder_)) << status;
}

TEST_F(FilesFaults, OnlyAFolderIsSyncedAsOne) {
  ASSERT_TRUE(WriteFileAtomically(path_, "x").ok());
  EXPECT_FALSE(SyncFolder(path_).ok());
  EXPECT_TRUE(absl::IsNotFound(SyncFolder(folder_ + "/absent")));
}

TEST_F(FilesFaults, AnEmptyFileIsMappedAndHoldsNothing) {
  ASSERT_TRUE(WriteFileAtomically(path_, "").ok());
  const auto file = *MappedFile::Open(path_);
  EXPECT_EQ(file->bytes(), "");
  EXPECT_FALSE(file->Holds(""));
  file->ExpectSequentialReads();
  file->Release("");
}

TEST_F(FilesFaults, ATokenThatIsNotWholeIsRemoved) {
  const std::string token(40, 'a');
  for (const char* call : {"write", "fsync", "close"}) {
    SystemFault fault(call, ENOSPC);
    const absl::Status status = WriteTokenFile(path_, token);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << call;
    EXPECT_EQ(ReasonOf(status), "TOKEN_FILE_NOT_WRITTEN") << call;
    EXPECT_EQ(status.message().find(token), absl::string_view::npos);
    EXPECT_EQ(Entries(), 0) << call;
  }
  EXPECT_EQ(WriteTokenFile(folder_ + "/absent/file", token).code(),
            absl::StatusCode::kFailedPrecondition);
  SystemFault fault("RAND_bytes", EIO);
  EXPECT_EQ(ReasonOf(NewBearerToken().status()), "NO_RANDOMNESS");
}

}  // namespace
}  // namespace steer
