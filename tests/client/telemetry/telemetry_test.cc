#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/telemetry/gateway.h"
#include "client/telemetry/metrics_text.h"
#include "gtest/gtest.h"
#include "tests/support/loopback.h"

extern char** environ;

namespace steer {
namespace {

GatewayOptions Options(const std::string& url) {
  GatewayOptions options;
  options.url = url;
  options.timeout = absl::Milliseconds(400);
  options.interval = absl::Milliseconds(20);
  options.group = {{"experiment", "e1"}};
  return options;
}

TEST(MetricsText, EscapesAndSkipsWhatAGatewayWouldRefuse) {
  MetricsText text;
  text.Declare("steer_b", "gauge", "Back\\slash\nline.");
  text.Declare("steer_a", "gauge", "First.");
  text.Declare("steer_empty", "gauge", "No samples.");
  text.Add("steer_b", {{"l", "a\"b\\c\nd"}}, 0.25);
  text.Add("steer_a", {}, 3);
  text.Add("steer_a", {{"x", "y"}}, 0.0 / 0.0);
  text.Add("steer_undeclared", {}, 1);
  EXPECT_EQ(text.Render(),
            "# HELP steer_a First.\n# TYPE steer_a gauge\nsteer_a 3\n"
            "# HELP steer_b Back\\\\slash\\nline.\n# TYPE steer_b "
            "gauge\nsteer_b{l=\"a\\\"b\\\\c\\nd\"} 0.25\n");
}

TEST(GroupUrl, EncodesWhatAPathCannotCarry) {
  EXPECT_EQ(GroupUrl("http://g:9091/", "j", {{"a", "plain-1.2_x"}}),
            "http://g:9091/metrics/job/j/a/plain-1.2_x");
  EXPECT_EQ(GroupUrl("http://g", "j", {{"a", "org/model"}}),
            "http://g/metrics/job/j/a@base64/b3JnL21vZGVs");
  EXPECT_EQ(GroupUrl("http://g", "a b", {{"a", ""}}),
            "http://g/metrics/job@base64/YSBi/a@base64/=");
  EXPECT_EQ(GroupUrl("http://g", "..", {}), "http://g/metrics/job@base64/Li4");
}

TEST(Gateway, RefusesWhatIsNoUrlOrLabel) {
  EXPECT_FALSE(GatewayPusher::Start(Options("gateway:9091")).ok());
  EXPECT_FALSE(GatewayPusher::Start(Options("file:///etc/passwd")).ok());
  GatewayOptions options = Options("http://g");
  options.group = {{"1bad", "x"}};
  EXPECT_FALSE(GatewayPusher::Start(options).ok());
}

TEST(Gateway, PutsTheNewestSnapshot) {
  Answerer listener("200 OK");
  auto pusher = *GatewayPusher::Start(Options(listener.url()));
  for (int i = 0; i < 500; ++i) pusher->Publish(absl::StrCat("steer_x ", i, "\n"));
  pusher->Close();
  EXPECT_GE(pusher->counts().pushed, 1);
  EXPECT_LT(pusher->counts().pushed, 100);  // a slot, not a queue
  EXPECT_EQ(pusher->counts().failed, 0);
  const std::string last = listener.requests().back();
  EXPECT_TRUE(absl::StartsWith(last, "PUT /metrics/job/steerctl/experiment/e1 HTTP/1.1\r\n"))
      << last;
  EXPECT_TRUE(absl::EndsWith(last, "\r\n\r\nsteer_x 499\n")) << last;
  pusher->Publish("late");  // harmless after the end
}

TEST(Gateway, ErrorAnswersAreCountedAsFailures) {
  for (const char* answer :
       {"400 Bad Request", "500 Oops", "302 Found\r\nLocation: http://127.0.0.1:1/"}) {
    Answerer listener(answer);
    auto pusher = *GatewayPusher::Start(Options(listener.url()));
    pusher->Publish("steer_x 1\n");
    pusher->Close();
    EXPECT_EQ(pusher->counts().pushed, 0) << answer;
    EXPECT_EQ(pusher->counts().failed, 1) << answer;
    EXPECT_FALSE(pusher->counts().last_error.empty());
  }
}

TEST(Gateway, ASilentOneCostsATimeoutAndNoPublishWaits) {
  Answerer listener("");
  auto pusher = *GatewayPusher::Start(Options(listener.url()));
  absl::Time start = absl::Now();
  for (int i = 0; i < 1000; ++i) pusher->Publish("steer_x 1\n");
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
  absl::SleepFor(absl::Milliseconds(100));
  start = absl::Now();
  pusher->Close();
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_GE(pusher->counts().failed, 1);
}

TEST(Gateway, ARefusedConnectionIsCounted) {
  auto pusher = *GatewayPusher::Start(Options("http://127.0.0.1:1"));
  pusher->Publish("steer_x 1\n");
  pusher->Close();
  EXPECT_EQ(pusher->counts().failed, 1);
  EXPECT_FALSE(ProbeGateway("http://127.0.0.1:1").ok());
}

// The real thing, where it is installed.
TEST(Gateway, ARealPushgatewayTakesOurGroups) {
  const char* program = "/usr/bin/prometheus-pushgateway";
  if (access(program, X_OK) != 0) GTEST_SKIP() << "prometheus-pushgateway is not installed";
  int port = 0;
  close(ListenAnywhere(&port));  // one that was free a moment ago
  std::string address = absl::StrCat("--web.listen-address=127.0.0.1:", port);
  std::string level = "--log.level=error";
  // Debian's default keeps what was pushed in /var/lib, for every later start.
  std::string memory = "--persistence.file=";
  char* argv[] = {const_cast<char*>(program), address.data(), level.data(), memory.data(), nullptr};
  pid_t pid = 0;
  ASSERT_EQ(posix_spawn(&pid, program, nullptr, nullptr, argv, environ), 0);
  std::string url = absl::StrCat("http://127.0.0.1:", port);
  absl::Status ready;
  for (int i = 0; i < 200; ++i) {
    ready = ProbeGateway(url);
    if (ready.ok()) break;
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_TRUE(ready.ok()) << ready;
  GatewayOptions options = Options(url);
  options.timeout = absl::Seconds(5);
  options.group = {{"experiment", "org/model name"}, {"empty", ""}};
  auto pusher = *GatewayPusher::Start(options);
  MetricsText text;
  text.Declare("steer_experiment_refusal_ratio", "gauge", "Refused over measured test prompts.");
  text.Add("steer_experiment_refusal_ratio", {{"arm", "ablate/harmful"}}, 0.125);
  pusher->Publish(text.Render());
  pusher->Close();
  EXPECT_EQ(pusher->counts().pushed, 1) << pusher->counts().last_error;
  EXPECT_TRUE(ProbeMetrics(url + "/metrics").ok());
  // A page that the gateway refuses.
  auto bad = *GatewayPusher::Start(options);
  bad->Publish("this is no metric\n");
  bad->Close();
  EXPECT_EQ(bad->counts().failed, 1);
  EXPECT_TRUE(absl::StrContains(bad->counts().last_error, "400"));
  kill(pid, SIGTERM);
  waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace steer
