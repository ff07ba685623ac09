#include "server/telemetry/audit_log.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/audit_chain.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

AuditRecord Record() {
  AuditRecord record;
  record.time = absl::FromUnixMillis(1700000000123);
  record.method = "Evaluate";
  record.request_id = "id";
  record.peer = "ipv4:127.0.0.1:1";
  record.counts = {{"prompts", 3}};
  record.code = "OK";
  record.seconds = 0.25;
  return record;
}

TEST(AuditLineTest, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(AuditObject(Record()),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"method\":\"Evaluate\",\"request_id\":\"id\","
            "\"peer\":\"ipv4:127.0.0.1:1\",\"counts\":{\"prompts\":3},\"code\":\"OK\","
            "\"seconds\":0.25}");
  AuditRecord odd = Record();
  odd.peer = "a\xff\n";
  EXPECT_EQ(AuditObject(odd).find('\n'), std::string::npos);
}

// No file grows beyond `bytes` while it lives, as if the disk were full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(size_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    rlimit small = before_;
    small.rlim_cur = bytes;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  void (*const handler_)(int);
  rlimit before_ = {};
};

class AuditLogTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        std::filesystem::temp_directory_path() / absl::StrCat("steer_audit_", getpid(), ".jsonl");
    TearDown();
  }
  void TearDown() override {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".1");
  }
  std::unique_ptr<AuditLog> Open() {
    auto log = AuditLog::Open(path_, [this](bool written) { ++(written ? written_ : failed_); });
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }
  AuditReport Verified(const std::vector<std::string>& files) {
    const auto report = VerifyAudit(files);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(AuditReport());
  }
  void WriteLines(int count) {
    const auto log = Open();
    for (int i = 0; i < count; ++i) log->Write(Record());
    head_ = log->head();
  }
  std::string path_, head_;
  std::atomic<int> written_{0}, failed_{0};
};

TEST_F(AuditLogTest, LinesOfManyThreadsAreOneChainOverAReopen) {
  for (int open = 0; open < 2; ++open) {
    const auto log = Open();
    ASSERT_NE(log, nullptr);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log] {
        for (int i = 0; i < 50; ++i) log->Write(Record());
      });
    }
    for (std::thread& thread : threads) thread.join();
    head_ = log->head();
  }
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::vector<std::string> lines = absl::StrSplit(*ReadFile(path_), '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), 400u);
  for (const std::string& line : lines) EXPECT_TRUE(ParseJson(line).ok());
  const AuditReport report = Verified({path_});
  EXPECT_EQ(report.lines, 400);
  EXPECT_EQ(report.first, kAuditChainStart);
  EXPECT_EQ(report.head, head_);
  EXPECT_EQ(written_, 400);
}

// What kill -9 can leave, byte by byte of the last line.
TEST_F(AuditLogTest, ALineCutOffByACrashIsKeptAndRecorded) {
  WriteLines(3);
  const std::string text = *ReadFile(path_);
  const size_t last = text.rfind('\n', text.size() - 2) + 1;
  for (size_t size = last + 1; size <= text.size(); ++size) {
    std::filesystem::remove(path_);
    std::ofstream(path_, std::ios::binary) << text.substr(0, size);
    WriteLines(1);
    const AuditReport report = Verified({path_});
    const bool whole = size >= text.size() - 1;
    EXPECT_EQ(report.torn, whole ? 0 : 1) << size;
    EXPECT_EQ(report.lines, 4) << size;
    EXPECT_EQ(report.head, head_);
    EXPECT_EQ(ReadFile(path_)->substr(0, size), text.substr(0, size));  // nothing is taken away
  }
}

TEST_F(AuditLogTest, ACutFirstLine) {
  ASSERT_TRUE(WriteFileAtomically(path_, "{\"time\":\"2").ok());
  WriteLines(2);
  EXPECT_EQ(Verified({path_}).torn, 1);
}

TEST_F(AuditLogTest, ARenamedFileIsFollowedByANewOneOfTheSameChain) {
  const auto log = Open();
  log->Write(Record());
  log->Write(Record());
  std::filesystem::rename(path_, path_ + ".1");
  log->Write(Record());
  EXPECT_EQ(Verified({path_ + ".1"}).lines, 2);
  EXPECT_EQ(Verified({path_}).first, Verified({path_ + ".1"}).head);
  EXPECT_EQ(Verified({path_ + ".1", path_}).lines, 3);
}

TEST_F(AuditLogTest, ADamagedEndOrAnotherWriterIsRefused) {
  WriteLines(2);
  {
    const auto log = Open();
    EXPECT_EQ(ReasonOf(AuditLog::Open(path_).status()), "AUDIT_LOG_IN_USE");
  }
  const std::string text = *ReadFile(path_);
  for (const std::string& bad : {text + "junk\n", text.substr(0, text.size() - 2) + "]\n",
                                 text + std::string(2 << 20, 'x'), std::string("\n")}) {
    ASSERT_TRUE(WriteFileAtomically(path_, bad).ok());
    const auto log = AuditLog::Open(path_);
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(ReasonOf(log.status()), "AUDIT_LOG_DAMAGED");
    EXPECT_NE(log.status().message().find(path_), std::string::npos);
  }
}

// Though it is whole, it is of another chain: it is kept for `steerctl audit verify` to find, and the chain goes on from the line before.
TEST_F(AuditLogTest, ALastLineThatDoesNotFollowTheOneBeforeIsNotGoneOnFrom) {
  WriteLines(3);
  const std::vector<std::string> lines = absl::StrSplit(*ReadFile(path_), '\n', absl::SkipEmpty());
  ASSERT_TRUE(WriteFileAtomically(path_, lines[0] + "\n" + lines[2]).ok());
  WriteLines(1);
  const absl::Status damaged = VerifyAudit({path_}).status();
  EXPECT_EQ(ReasonOf(damaged), "AUDIT_LOG_DAMAGED");
  EXPECT_NE(damaged.message().find(path_ + ":2:"), std::string::npos) << damaged;
  // Without it: the first line, the one that says what was found, and the new one.
  const std::vector<std::string> after = absl::StrSplit(*ReadFile(path_), '\n');
  ASSERT_EQ(after.size(), 5u);
  EXPECT_EQ(after[1], lines[2]);
  const auto first = ReadAuditLink(after[0]), torn = ReadAuditLink(after[2]);
  ASSERT_TRUE(first && torn);
  EXPECT_EQ(torn->previous, first->hash);
  EXPECT_EQ(ReadAuditLink(after[3])->previous, torn->hash);
}

TEST_F(AuditLogTest, ADiskThatIsFullAtTheStartIsSaid) {
  WriteLines(2);
  const std::string text = *ReadFile(path_);
  ASSERT_TRUE(WriteFileAtomically(path_, text.substr(0, text.size() - 5)).ok());
  const FileSizeLimit full(text.size() - 5);
  const auto log = AuditLog::Open(path_);
  EXPECT_EQ(ReasonOf(log.status()), "AUDIT_LOG_UNAVAILABLE");
  EXPECT_NE(log.status().message().find("is the disk full?"), std::string::npos);
}

TEST_F(AuditLogTest, APathThatIsTakenFromItIsTakenBackOnceItIsFree) {
  const auto log = Open();
  log->Write(Record());
  std::filesystem::rename(path_, path_ + ".1");
  std::filesystem::create_directory(path_);
  log->Write(Record());
  log->Write(Record());
  EXPECT_EQ(failed_, 2);
  std::filesystem::remove(path_);
  log->Write(Record());
  EXPECT_EQ(Verified({path_ + ".1", path_}).lines, 2);
  // Another file in its place, which has its own chain.
  std::filesystem::remove(path_);
  ASSERT_TRUE(WriteFileAtomically(path_, *ReadFile(path_ + ".1")).ok());
  log->Write(Record());
  EXPECT_EQ(Verified({path_}).lines, 2);
  EXPECT_EQ(written_, 3);
}

TEST_F(AuditLogTest, AFullDiskIsCountedAndTheChainGoesOn) {
  const auto log = Open();
  log->Write(Record());
  for (int room : {50, 0}) {
    const FileSizeLimit full(std::filesystem::file_size(path_) + room);
    log->Write(Record());
    log->Write(Record());
  }
  EXPECT_EQ(failed_, 4);
  log->Write(Record());
  EXPECT_EQ(written_, 2);
  EXPECT_EQ(Verified({path_}).lines, 2);
}

TEST_F(AuditLogTest, AFileThatCannotBeOpenedIsNamed) {
  for (const char* path : {"/nonexistent/folder/audit.jsonl", "/dev/null", "/"}) {
    const auto log = AuditLog::Open(path);
    ASSERT_FALSE(log.ok());
    EXPECT_NE(log.status().message().find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace steer
