#include "server/telemetry/audit_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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
  EXPECT_EQ(AuditLine(Record()),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"method\":\"Evaluate\",\"request_id\":\"id\","
            "\"peer\":\"ipv4:127.0.0.1:1\",\"counts\":{\"prompts\":3},\"code\":\"OK\","
            "\"seconds\":0.25}\n");
  AuditRecord odd = Record();
  odd.peer = "a\xff\n";
  EXPECT_EQ(AuditLine(odd).find('\n'), AuditLine(odd).size() - 1);
}

TEST(AuditLogTest, LinesOfManyThreadsDoNotMixAndSurviveAReopen) {
  const std::string path =
      std::filesystem::temp_directory_path() / absl::StrCat("steer_audit_", getpid(), ".jsonl");
  std::filesystem::remove(path);
  for (int open = 0; open < 2; ++open) {
    auto log = AuditLog::Open(path);
    ASSERT_TRUE(log.ok()) << log.status();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log] {
        for (int i = 0; i < 50; ++i) (*log)->Write(Record());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::vector<std::string> lines = absl::StrSplit(*ReadFile(path), '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), 400u);
  for (const std::string& line : lines) EXPECT_TRUE(ParseJson(line).ok());
  std::filesystem::remove(path);
}

TEST(AuditLogTest, AFileThatCannotBeOpenedIsNamed) {
  const auto log = AuditLog::Open("/nonexistent/folder/audit.jsonl");
  ASSERT_FALSE(log.ok());
  EXPECT_NE(log.status().message().find("/nonexistent/folder/audit.jsonl"), std::string::npos);
}

}  // namespace
}  // namespace steer
