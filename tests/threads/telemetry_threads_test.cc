#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/metrics/metrics_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "server/telemetry/audit_log.h"
#include "server/telemetry/metrics.h"
#include "tests/threads/crowd.h"

namespace steer {
namespace {

using ::testing::HasSubstr;

constexpr MethodName kMethods[] = {{"Look", CallKind::kUnary}, {"Walk", CallKind::kServerStream}};

// Counting, scraping and a change of the model at once.
TEST(TelemetryThreads, NothingIsLostWhileItIsScraped) {
  constexpr int kThreads = 5, kCalls = 400;
  Metrics metrics("service", kMethods, {"1"});
  auto server = MetricsServer::Start("127.0.0.1:0", false, metrics.registry());
  ASSERT_TRUE(server.ok()) << server.status();
  std::atomic<int> working{kThreads - 1};
  Crowd(kThreads, [&](int t) {
    if (t == 0) {
      while (working.load() > 0)
        EXPECT_THAT(metrics.Text(), HasSubstr("grpc_server_started_total"));
      return;
    }
    for (int i = 0; i < kCalls; ++i) {
      metrics.CallStarted("Look");
      metrics.OnNonFinite(i % 2 == 0 ? "NON_FINITE_LOGITS" : "scores");
      metrics.OnStep({StepKind::kDecode, 2, 2, 4, 1, absl::Milliseconds(i)});
      if (i % 100 == 0) metrics.SetModel(absl::StrCat("m", t), "llama", "cpu", "float32", "f");
      metrics.CallHandled("Look", absl::StatusCode::kOk, absl::Milliseconds(1));
    }
    --working;
  });
  EXPECT_THAT(metrics.Text(), HasSubstr(absl::StrCat("steer_steps_total{kind=\"decode\"} ",
                                                     (kThreads - 1) * kCalls, "\n")));
}

TEST(TelemetryThreads, AuditLinesNeverMix) {
  constexpr int kThreads = 5, kLines = 100;
  const std::string path =
      (std::filesystem::temp_directory_path() / absl::StrCat("steer-audit-", getpid())).string();
  {
    auto log = AuditLog::Open(path);
    ASSERT_TRUE(log.ok()) << log.status();
    Crowd(kThreads, [&](int t) {
      for (int i = 0; i < kLines; ++i) {
        AuditRecord record;
        record.method = "Look";
        record.request_id = absl::StrCat(t * kLines + i);
        (*log)->Write(record);
      }
    });
  }
  std::set<std::string> ids;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto record = ParseJson(line);
    ASSERT_TRUE(record.ok()) << line;
    ids.insert(record->at("request_id").get<std::string>());
  }
  std::filesystem::remove(path);
  EXPECT_EQ(ids.size(), static_cast<size_t>(kThreads * kLines));
}

}  // namespace
}  // namespace steer
