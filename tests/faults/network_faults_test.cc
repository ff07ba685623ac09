// Faults between the two: the network, the gateway that results are pushed to, and whoever scrapes metrics.
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "tests/faults/harness.h"
#include "tests/faults/proxy.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

int PortOf(const std::string& address) { return std::stoi(address.substr(address.rfind(':') + 1)); }

class NetworkFaults : public FaultHarness {
 protected:
  // The fault begins at a moment of the run, lasts `length`, and is over; the run must get through by itself.
  void Survives(NetworkFault fault, absl::Duration length) {
    Proxy proxy(PortOf(scenario().address()));
    auto run =
        StartAt(proxy.port(), Run("run", {"--stall-timeout", "2", "--patience", "8"}), "run");
    absl::SleepFor(Moment());
    proxy.Set(fault);
    absl::SleepFor(length);
    proxy.Set(NetworkFault::kNone);
    EXPECT_EQ(run->Wait(absl::Minutes(2)).exit_code, kExitOk) << CtlError("run");
    CheckLog();
    EXPECT_GT(proxy.connections(), 0);
    ExpectFinishes();
  }
};

TEST_F(NetworkFaults, Refused) { Survives(NetworkFault::kRefuse, absl::Seconds(1)); }
TEST_F(NetworkFaults, Stall) { Survives(NetworkFault::kStall, absl::Seconds(1)); }
// The connection of then stays dead for good, and is noticed before its keepalive would see it: the run goes on with another.
TEST_F(NetworkFaults, BlackHole) { Survives(NetworkFault::kBlackHole, absl::Milliseconds(500)); }
TEST_F(NetworkFaults, Delay) { Survives(NetworkFault::kDelay, absl::Seconds(2)); }
TEST_F(NetworkFaults, Reset) { Survives(NetworkFault::kReset, absl::Milliseconds(300)); }
TEST_F(NetworkFaults, HalfOpen) { Survives(NetworkFault::kHalfOpen, absl::Milliseconds(500)); }
TEST_F(NetworkFaults, SlowReader) { Survives(NetworkFault::kSlow, absl::Seconds(2)); }

TEST_F(NetworkFaults, NobodyListens) {
  int port = 0;
  close(ListenAnywhere(&port));
  auto run = StartAt(port, Run("run", {"--patience", "1"}), "run");
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitUnreachable) << CtlError("run");
  CheckLog("run", true);
  ExpectFinishes();
}

TEST_F(NetworkFaults, SomethingElseListens) {
  Answerer other("200 OK");
  auto run = StartAt(other.port(), Run("run", {"--patience", "1"}), "run");
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitUnreachable) << CtlError("run");
  ExpectFinishes();
}

class GatewayFaults : public FaultHarness {
 protected:
  // The run must not care.
  void IsNotNoticed(const std::string& url) {
    auto run = scenario().StartCtl(Run("run", {"--pushgateway", url}), "run");
    EXPECT_EQ(run->Wait(clean_time() + absl::Seconds(30)).exit_code, kExitOk) << CtlError("run");
    ExpectFinishes();
  }
};

TEST_F(GatewayFaults, Down) {
  int port = 0;
  close(ListenAnywhere(&port));
  IsNotNoticed(absl::StrCat("http://127.0.0.1:", port));
}

TEST_F(GatewayFaults, Silent) {
  Answerer gateway("");
  IsNotNoticed(gateway.url());
  EXPECT_FALSE(gateway.requests().empty());
}

TEST_F(GatewayFaults, Refuses) {
  Answerer gateway("400 Bad Request");
  IsNotNoticed(gateway.url());
  EXPECT_FALSE(gateway.requests().empty());
}

TEST_F(GatewayFaults, Breaks) {
  Answerer gateway("500 Internal Server Error");
  IsNotNoticed(gateway.url());
  EXPECT_FALSE(gateway.requests().empty());
}

// What was pushed last counts what the log holds.
TEST_F(GatewayFaults, CountsAreThoseOfTheLog) {
  Answerer gateway("200 OK");
  IsNotNoticed(gateway.url());
  const std::string body = gateway.last_body();
  const std::string log = MustRead(Folder() + "/cells.jsonl");
  int64_t cells = 0;
  for (size_t at = 0; (at = log.find("\"kind\":\"cell\"", at)) != std::string::npos; ++at) ++cells;
  EXPECT_GT(cells, 0);
  EXPECT_TRUE(
      absl::StrContains(body, absl::StrCat("steer_experiment_cells{state=\"done\"} ", cells, "\n")))
      << cells << "\n"
      << body.substr(0, 1500);
}

// Half-open connections to /metrics delay no scrape beyond what Prometheus waits.
TEST_F(NetworkFaults, ScrapersThatNeverAsk) {
  std::vector<int> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(Dial(scenario().metrics_port()));
    EXPECT_GE(held.back(), 0);
    EXPECT_EQ(send(held.back(), "GET /met", 8, MSG_NOSIGNAL), 8);
  }
  const absl::Time start = absl::Now();
  EXPECT_TRUE(absl::StrContains(scenario().MetricsPage(), "steer_ready 1"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  for (const int fd : held) close(fd);
  ExpectFinishes();
}

}  // namespace
}  // namespace steer
