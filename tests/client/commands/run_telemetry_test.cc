#include "client/commands/run_telemetry.h"

#include <stdlib.h>
#include <unistd.h>

#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "client/commands/run_series.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

class Telemetry : public ::testing::Test {
 protected:
  Telemetry() {
    lock_.digest = std::string(64, 'd');
    lock_.plan.name = "small";
    log_ = *ResultLog::Open(folder_ / "cells.jsonl");
  }
  std::unique_ptr<RunTelemetry> Started(const std::string& gateway = "") {
    auto telemetry = RunTelemetry::Start({"127.0.0.1:0", false, gateway}, lock_);
    EXPECT_TRUE(telemetry.ok()) << telemetry.status();
    return *std::move(telemetry);
  }
  // The page once it has the text; the last one seen if it never has.
  static std::string PageWith(const RunTelemetry& telemetry, const std::string& text) {
    std::string page;
    for (int i = 0; i < 600 && !absl::StrContains(page, text); ++i) {
      if (i > 0) absl::SleepFor(absl::Milliseconds(50));
      page = HttpGet(telemetry.port(), "/metrics");
    }
    EXPECT_TRUE(absl::StrContains(page, text)) << text << "\n" << page;
    return page;
  }
  TemporaryFolder folder_;
  Lock lock_;
  std::unique_ptr<ResultLog> log_;
};

TEST_F(Telemetry, ThePageFollowsTheRun) {
  auto telemetry = Started();
  telemetry->Begin(log_.get(), absl::FromUnixSeconds(1700000000), "a:1");
  std::string page =
      PageWith(*telemetry, "\nsteer_experiment_start_timestamp_seconds 1700000000\n");
  EXPECT_FALSE(absl::StrContains(page, "server_up"));  // not heard of yet
  telemetry->OnWaiting();
  PageWith(*telemetry, "\nsteer_experiment_server_up{server=\"a:1\"} 0\n");
  telemetry->OnRetry("Evaluate", absl::ResourceExhaustedError("full"));
  telemetry->OnCell(CellRecord());
  telemetry->SetSecondsLeft(4);
  page = PageWith(*telemetry, "\nsteer_experiment_left_seconds 4\n");
  for (const char* line :
       {"\nsteer_experiment_server_up{server=\"a:1\"} 1\n",
        "\nsteer_experiment_cells_done_total 1\n",
        "\nsteer_experiment_rpc_retries_total{method=\"Evaluate\",code=\"RESOURCE_EXHAUSTED\"} 1\n",
        "\nsteer_experiment_progress_timestamp_seconds ", "\nsteer_clock_timestamp_seconds ",
        "\nsteer_push_total{result=\"ok\"} 0\n", "\nsteer_push_total{result=\"failed\"} 0\n",
        "\nsteer_push_seconds_count 0\n", "\nprocess_max_fds ", "\nprocess_cpu_seconds_total "}) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line;
  }
  const RunFacts facts = telemetry->End("done");
  EXPECT_EQ(facts.state, "done");
  EXPECT_EQ(facts.cells_done, 1);
  telemetry->OnCell(CellRecord());  // too late to count
  telemetry->Finish();
  page = HttpGet(telemetry->port(), "/metrics");
  EXPECT_TRUE(absl::StrContains(page, "\nsteer_experiment_state{state=\"done\"} 1\n"));
  EXPECT_TRUE(absl::StrContains(page, "\nsteer_experiment_cells_done_total 1\n"));
  // What is beside the snapshot fits into what the budget leaves.
  int64_t beside = 0;
  for (absl::string_view line : absl::StrSplit(page, '\n'))
    beside += !line.empty() && line[0] != '#' && !absl::StartsWith(line, "steer_experiment_");
  EXPECT_LE(beside, kMostSeries - kMostPushedSeries);
  const int port = telemetry->port();
  telemetry->Close();
  EXPECT_EQ(HttpGet(port, "/metrics"), "");
}

TEST_F(Telemetry, OfSeveralServersOnlyWhatIsTold) {
  auto telemetry = Started();
  telemetry->Begin(log_.get(), absl::Now(), "");
  telemetry->OnServer({"a:1", ServerChange::kUp, "n", absl::OkStatus()});
  telemetry->OnServer({"b:1", ServerChange::kAway, "", absl::UnavailableError("x")});
  telemetry->OnServer({"c:1", ServerChange::kOut, "", absl::UnavailableError("x")});
  telemetry->OnWaiting();  // a call that waits may yet be answered
  const RunFacts facts = telemetry->End("stopped");
  EXPECT_EQ(facts.servers,
            (std::map<std::string, bool>{{"a:1", true}, {"b:1", false}, {"c:1", false}}));
}

TEST_F(Telemetry, PushesAreCountedOnThePage) {
  Answerer gateway("200 OK"), broken("500 Oops");
  for (Answerer* answerer : {&gateway, &broken}) {
    const bool good = answerer == &gateway;
    auto telemetry = Started(answerer->url());
    telemetry->Begin(log_.get(), absl::Now(), "a:1");
    const std::string page = PageWith(
        *telemetry, absl::StrCat("steer_push_total{result=\"", good ? "ok" : "failed", "\"} 1\n"));
    EXPECT_TRUE(absl::StrContains(page, "steer_push_seconds_count 1\n"));
    telemetry->End("done");
    telemetry->Finish();
    const PushCounts counts = telemetry->Close();
    EXPECT_EQ(good ? counts.pushed : counts.failed, 2);
    EXPECT_EQ(good ? counts.failed : counts.pushed, 0);
    EXPECT_TRUE(
        absl::StrContains(answerer->last_body(), "steer_experiment_state{state=\"done\"} 1\n"));
    // A gateway keeps what it was given: no clock, and nothing of the process.
    EXPECT_FALSE(absl::StrContains(answerer->last_body(), "steer_clock"));
    EXPECT_FALSE(absl::StrContains(answerer->last_body(), "process_"));
  }
}

TEST_F(Telemetry, AddressesAreCheckedBeforeARunBegins) {
  auto code = [&](const RunTelemetryOptions& options) {
    const absl::Status status = RunTelemetry::Start(options, lock_).status();
    EXPECT_FALSE(status.ok());
    return ExitCodeOf(status, Source::kInput);
  };
  for (const char* address :
       {"nonsense", ":9465", "127.0.0.1:", "127.0.0.1:1,0.0.0.0:2", "127.0.0.1:0,127.0.0.1:0",
        "127.0.0.1,0.0.0.0:2", "127.0.0.1:70000", "127.0.0.1:9465s"}) {
    EXPECT_EQ(code({address, true, ""}), kExitUsage) << address;
  }
  for (const char* address : {"0.0.0.0:0", "[::]:0", "example.org:0", "127.evil.example:0"}) {
    EXPECT_EQ(code({address, false, ""}), kExitUsage) << address;
  }
  EXPECT_EQ(code({"", false, "gateway:9091"}), kExitUsage);
  int port = 0;
  const int taken = ListenAnywhere(&port);
  EXPECT_EQ(code({absl::StrCat("127.0.0.1:", port), false, ""}), kExitMetricsAddress);
  close(taken);
  auto open = RunTelemetry::Start({"0.0.0.0:0", true, ""}, lock_);
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_FALSE(HttpGet((*open)->port(), "/metrics").empty());
}

TEST_F(Telemetry, ARunThatPausesIsShownAgainWhenItGoesOn) {
  auto telemetry = Started();
  telemetry->Begin(log_.get(), absl::Now(), "a:1");
  PageWith(*telemetry, "steer_experiment_info");
  absl::SleepFor(absl::Milliseconds(1500));  // longer than the least time between snapshots
  telemetry->OnCell(CellRecord());
  PageWith(*telemetry, "\nsteer_experiment_cells_done_total 1\n");
}

TEST_F(Telemetry, ALogThatCannotBeReadLeavesThePageAsItWas) {
  auto telemetry = Started();
  telemetry->Finish();  // before it began there is nothing to show
  EXPECT_FALSE(absl::StrContains(HttpGet(telemetry->port(), "/metrics"), "steer_experiment_info"));
  telemetry->Begin(log_.get(), absl::Now(), "a:1");
  PageWith(*telemetry, "steer_experiment_info");
  ASSERT_TRUE(
      log_->Append({"seed-0/other", {{"kind", "cell"}, {"plan_digest", lock_.digest}}}).ok());
  telemetry->End("done");
  telemetry->Finish();
  EXPECT_TRUE(absl::StrContains(HttpGet(telemetry->port(), "/metrics"),
                                "\nsteer_experiment_state{state=\"running\"} 1\n"));
}

TEST_F(Telemetry, HalfOpenConnectionsDoNotHoldUpAScrape) {
  auto telemetry = Started();
  telemetry->Begin(log_.get(), absl::Now(), "a:1");
  const int first = Dial(telemetry->port());
  const int second = Dial(telemetry->port());
  PageWith(*telemetry, "steer_experiment_info");
  close(first);
  close(second);
}

TEST_F(Telemetry, ThePagePassesPromtool) {
  if (access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "promtool is not installed";
  auto telemetry = Started();
  telemetry->Begin(log_.get(), absl::Now(), "a:1");
  telemetry->OnCell(CellRecord());
  WriteAll(folder_ / "page", PageWith(*telemetry, "steer_experiment_progress_timestamp_seconds"));
  const std::string command = absl::StrCat("/usr/bin/promtool check metrics < ", folder_ / "page",
                                           " > ", folder_ / "said", " 2>&1");
  EXPECT_EQ(system(command.c_str()), 0);
  EXPECT_EQ(ReadAll(folder_ / "said"), "");
}

}  // namespace
}  // namespace steer
