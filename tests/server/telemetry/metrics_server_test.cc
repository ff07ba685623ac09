#include "common/metrics/metrics_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "server/telemetry/metrics.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

using ::testing::HasSubstr;

constexpr MethodName kMethods[] = {{"Look", CallKind::kUnary}};

// The body of GET /metrics.
std::string Scrape(int port) {
  const int fd = Dial(port);
  const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) answer.append(buffer, n);
  close(fd);
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

TEST(MetricsServerTest, ServesTheRegistryAndTheProcess) {
  Metrics metrics("s", kMethods, {"v"});
  auto server = MetricsServer::Start("127.0.0.1:0", false, metrics.registry());
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_GT((*server)->port(), 0);
  RowReport row;
  row.kind = RowKind::kFit;
  metrics.OnRow(row);
  const std::string text = Scrape((*server)->port());
  for (const char* name :
       {"steer_rows_total{kind=\"fit\"} 1\n", "\nprocess_cpu_seconds_total ",
        "\nprocess_resident_memory_bytes ", "\nprocess_open_fds ", "\nprocess_max_fds ",
        "\nprocess_virtual_memory_bytes ", "\nprocess_start_time_seconds "}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
  const size_t at = text.find("\nprocess_start_time_seconds ") + 28;
  const double now = static_cast<double>(time(nullptr));
  EXPECT_NEAR(std::atof(text.c_str() + at), now, 600);
}

TEST(MetricsServerTest, ServesWhatIsAddedLater) {
  Metrics metrics("s", kMethods, {"v"});
  auto server = MetricsServer::Start("127.0.0.1:0", false, metrics.registry());
  ASSERT_TRUE(server.ok()) << server.status();
  {
    auto registry = std::make_shared<prometheus::Registry>();
    prometheus::BuildGauge().Name("later").Register(*registry).Add({}).Set(7);
    (*server)->Add(registry);  // which keeps it
  }
  EXPECT_THAT(Scrape((*server)->port()), HasSubstr("\nlater 7\n"));
}

TEST(MetricsServerTest, HalfOpenConnectionsDoNotHoldUpAScrape) {
  Metrics metrics("s", kMethods, {"v"});
  auto server = MetricsServer::Start("127.0.0.1:0", false, metrics.registry());
  ASSERT_TRUE(server.ok());
  const int first = Dial((*server)->port());
  const int second = Dial((*server)->port());
  const absl::Time start = absl::Now();
  Scrape((*server)->port());
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  close(first);
  close(second);
}

TEST(MetricsServerTest, ABusyPortOrBadAddressIsAClearError) {
  Metrics metrics("s", kMethods, {"v"});
  auto server = MetricsServer::Start("127.0.0.1:0", false, metrics.registry());
  ASSERT_TRUE(server.ok());
  const std::string taken = absl::StrCat("127.0.0.1:", (*server)->port());
  const std::pair<std::string, const char*> cases[] = {
      {taken, "METRICS_ADDRESS_UNAVAILABLE"},
      {"nonsense", "INVALID_ADDRESS"},
      {"127.0.0.1:0,127.0.0.1", "INVALID_ADDRESS"},
      {"127.0.0.1:0,127.0.0.1:0", "INVALID_ADDRESS"},
      {"0.0.0.0:0", "METRICS_BEYOND_LOOPBACK"}};
  for (const auto& [address, reason] : cases) {
    const auto refused = MetricsServer::Start(address, false, metrics.registry());
    ASSERT_FALSE(refused.ok()) << address;
    EXPECT_EQ(ReasonOf(refused.status()), reason) << refused.status();
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(address));
  }
  EXPECT_TRUE(MetricsServer::Start("0.0.0.0:0", true, metrics.registry()).ok());
}

TEST(MetricsServerTest, PromtoolHasNoFindings) {
  if (std::system("command -v promtool > /dev/null") != 0) GTEST_SKIP() << "promtool is not here";
  Metrics metrics("s", kMethods, {"v"});
  metrics.SetModel("m", "llama", "cpu", "float32", "f");
  auto server = MetricsServer::Start("127.0.0.1:0", false, metrics.registry());
  ASSERT_TRUE(server.ok());
  Scrape((*server)->port());  // the exposer counts its own scrapes from the first on
  const std::string path =
      std::filesystem::temp_directory_path() / absl::StrCat("steer_metrics_", getpid(), ".txt");
  std::ofstream(path) << Scrape((*server)->port());
  FILE* pipe = popen(absl::StrCat("promtool check metrics < ", path, " 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string findings;
  char buffer[512];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) findings += buffer;
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_EQ(findings, "");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace steer
