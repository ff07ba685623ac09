// What the program shows of a run to others: the scraped page, pushes, `push` and `forget`, and
// that no gateway, however broken, changes a run.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/loopback.h"
#include "tests/support/pushgateway.h"

namespace steer {
namespace {

class Observed : public ::testing::Test {
 protected:
  void SetUp() override { Freeze(1); }
  void Freeze(int control_draws) {
    WriteExperimentFiles(folder_.path(), control_draws);
    service_.Start();
    const ProcessResult frozen = Call({"plan", "freeze", folder_ / "plan.yaml", "--output", lock(),
                                       "--server", service_.address()});
    ASSERT_EQ(frozen.exit_code, 0) << frozen.err;
  }
  std::string lock() const { return folder_ / "lock.json"; }
  std::string servers() const { return service_.address() + others_; }
  static ProcessResult Call(const std::vector<std::string>& arguments,
                            const ProcessOptions& options = {}) {
    return RunSteerctl(arguments, options);
  }
  ProcessResult RunInto(const std::string& output, const std::vector<std::string>& more = {},
                        const ProcessOptions& options = {}) {
    std::vector<std::string> arguments = {"run",      lock(),    "--output",   folder_ / output,
                                          "--server", servers(), "--patience", patience_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Call(arguments, options);
  }
  ProcessResult Push(const std::string& folder, const std::string& url,
                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"push", folder_ / folder, "--push-gateway", url};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Call(arguments);
  }
  // The last push of a run into `output`, and what `push` makes of the folder afterwards.
  void ExpectRebuilt(const std::string& output, const std::vector<std::string>& more, int code,
                     const ProcessOptions& options = {}) {
    Answerer live("200 OK"), rebuilt("200 OK");
    std::vector<std::string> flags = {"--push-gateway", live.url()};
    flags.insert(flags.end(), more.begin(), more.end());
    const ProcessResult run = RunInto(output, flags, options);
    ASSERT_EQ(run.exit_code, code) << run.err;
    const ProcessResult pushed = Push(output, rebuilt.url(), {"--unfinished"});
    ASSERT_EQ(pushed.exit_code, kExitOk) << pushed.err;
    EXPECT_TRUE(absl::StrContains(pushed.out, " series of experiment fake-run ")) << pushed.out;
    EXPECT_GT(live.last_body().size(), 1000u);
    EXPECT_EQ(rebuilt.last_body(), live.last_body());
    const std::string head = "PUT /metrics/job/steer_experiment/experiment/fake-run HTTP/1.1\r\n";
    EXPECT_TRUE(absl::StartsWith(rebuilt.requests().back(), head));
    EXPECT_TRUE(absl::StartsWith(live.requests().back(), head));
    EXPECT_FALSE(absl::StrContains(live.last_body(), kCanary));
  }
  std::map<std::string, std::string> Results(const std::string& output) const {
    std::map<std::string, std::string> files;
    for (const char* name : {"summary.json", "verdict.json", "report.html", "figure.svg"})
      files[name] = ReadAll(folder_ / output + "/" + name);
    return files;
  }
  TemporaryFolder folder_;
  FakeService service_;
  std::string others_;  // ",host:port" of more servers
  std::string patience_ = "60";
};

TEST_F(Observed, ARunIsScrapedWhileItGoesOn) {
  service_.behaviour.row_milliseconds = 5;
  const int port = FreePort();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  ProcessResult run;
  std::atomic<bool> ended{false};
  std::thread running([&] {
    run = RunInto("out", {"--metrics-listen", address});
    ended = true;
  });
  std::string page;
  const std::string wanted =
      absl::StrCat("\nsteer_experiment_server_up{server=\"", service_.address(), "\"} 1\n");
  while (!ended && !absl::StrContains(page, wanted)) {
    page = HttpGet(port, "/metrics");
    absl::SleepFor(absl::Milliseconds(20));
  }
  running.join();
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_TRUE(absl::StrContains(run.err, absl::StrCat("metrics: http://", address, "/metrics")));
  EXPECT_TRUE(absl::StrContains(page, wanted)) << page;
  EXPECT_TRUE(absl::StrContains(page, "\nsteer_experiment_state{state=\"running\"} 1\n"));
  EXPECT_TRUE(absl::StrContains(page, "\nprocess_cpu_seconds_total "));
  EXPECT_FALSE(absl::StrContains(page, kCanary));
}

TEST_F(Observed, AMetricsAddressThatCannotBeHadIsOneErrorBeforeTheRun) {
  int port = 0;
  const int taken = ListenAnywhere(&port);
  const ProcessResult busy = RunInto("out", {"--metrics-listen", absl::StrCat("127.0.0.1:", port)});
  close(taken);
  EXPECT_EQ(busy.exit_code, kExitMetricsAddress);
  EXPECT_TRUE(absl::StrContains(busy.err, absl::StrCat("'127.0.0.1:", port, "'"))) << busy.err;
  EXPECT_EQ(std::count(busy.err.begin(), busy.err.end(), '\n'), 1) << busy.err;
  const ProcessResult open = RunInto("out", {"--metrics-listen", "0.0.0.0:0"});
  EXPECT_EQ(open.exit_code, kExitUsage);
  EXPECT_TRUE(absl::StrContains(open.err, "--metrics-insecure")) << open.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  EXPECT_EQ(service_.fit_calls(), 0);
}

TEST_F(Observed, PushRebuildsWhatTheRunPushedLast) {
  ExpectRebuilt("done", {}, kExitOk);
  // A run that only reports has counts of its own session.
  ExpectRebuilt("done", {}, kExitOk);
  FakeService other;
  other.Start();
  others_ = "," + other.address();
  ExpectRebuilt("two", {}, kExitOk);
}

TEST_F(Observed, PushRebuildsARunThatHadTrouble) {
  service_.behaviour.broken_streams = 3;
  service_.behaviour.break_after = 4;
  service_.behaviour.edit_receipt = [](v1::ArmResult* r) {
    if (r->name() == "add/harmless") r->mutable_receipt()->set_edits(r->receipt().edits() - 1);
  };
  ExpectRebuilt("incomplete", {"--attempts", "1"}, kExitIncomplete);
}

TEST_F(Observed, AnUnfinishedRunIsPushedOnlyIfAskedFor) {
  // The first Evaluate is answered, then the server is full for longer than the client waits.
  std::atomic<int> calls{0};
  service_.behaviour.refuse_evaluate = [&calls](const v1::EvaluateRequest&) {
    return calls++ == 0 ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAVAILABLE, "full");
  };
  patience_ = "0.5";
  ExpectRebuilt("stopped", {}, kExitUnreachable);
  patience_ = "60";
  service_.behaviour.refuse_evaluate = nullptr;
  Answerer gateway("200 OK");
  const ProcessResult refused = Push("stopped", gateway.url());
  EXPECT_EQ(refused.exit_code, kExitIncomplete);
  EXPECT_TRUE(absl::StrContains(refused.err, "--unfinished")) << refused.err;
  EXPECT_TRUE(gateway.requests().empty());
  // Killed: its last session never wrote what it knew.
  ProcessOptions options;
  options.failpoints = "run.log.after_append=kill@9";
  EXPECT_EQ(RunInto("killed", {}, options).signal, SIGKILL);
  EXPECT_EQ(Push("killed", gateway.url()).exit_code, kExitIncomplete);
  EXPECT_EQ(Push("killed", gateway.url(), {"--unfinished"}).exit_code, kExitOk);
  EXPECT_TRUE(
      absl::StrContains(gateway.last_body(), "steer_experiment_state{state=\"stopped\"} 1\n"));
  EXPECT_TRUE(absl::StrContains(gateway.last_body(), "steer_experiment_cells{state=\"done\"} 8\n"))
      << gateway.last_body();
}

TEST_F(Observed, PushAndForgetSayWhatIsWrong) {
  ASSERT_EQ(RunInto("out").exit_code, kExitOk);
  Answerer good("200 OK"), bad("400 Bad Request"), broken("500 Oops");
  auto expect = [](const ProcessResult& result, int code, const std::string& said) {
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_TRUE(absl::StrContains(result.err, said)) << said << "\n" << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  };
  const std::string down = absl::StrCat("http://127.0.0.1:", FreePort());
  expect(Push("absent", good.url()), kExitFolder, "absent holds no lock.json");
  expect(Push("out", down), kExitGateway, absl::StrCat("no Pushgateway answers at ", down));
  expect(Push("out", bad.url()), kExitGateway, "refused, at " + bad.url() + ": HTTP status 400");
  expect(Push("out", broken.url()), kExitGateway, "HTTP status 500");
  expect(Push("out", "ftp://me:secret@host"), kExitUsage, "'ftp://host'");
  EXPECT_EQ(Call({"push", folder_ / "out"}).exit_code, kExitUsage);
  EXPECT_EQ(Call({"push", "--push-gateway", good.url()}).exit_code, kExitUsage);
  // A lock's copy alone is what a run leaves that could not begin.
  std::filesystem::create_directories(folder_ / "begun");
  std::filesystem::copy_file(lock(), folder_ / "begun/lock.json");
  expect(Push("begun", good.url()), kExitIncomplete, "no run.json");
  for (const char* damage : {"[]", "{\"sessions\": [{}]}", "{\"sessions\": [{\"outcome\": 3}]}"}) {
    WriteAll(folder_ / "begun/run.json", damage);
    expect(Push("begun", good.url()), kExitInput, "run.json");
  }
  EXPECT_TRUE(good.requests().empty());
  expect(Call({"forget", "x", "--push-gateway", down}), kExitGateway, "no Pushgateway answers at");
  expect(Call({"forget", "x", "--push-gateway", good.url()}), kExitGateway,
         "as a Pushgateway does");
  expect(Call({"forget", "x", "--push-gateway", "ftp://h"}), kExitUsage, "'ftp://h'");
}

TEST_F(Observed, PushLeavesAFolderAloneThatIsRunIn) {
  service_.behaviour.row_milliseconds = 20;
  std::atomic<bool> ended{false};
  ProcessResult run;
  std::thread running([&] {
    run = RunInto("out");
    ended = true;
  });
  while (!ended && !std::filesystem::exists(folder_ / "out/cells.jsonl"))
    absl::SleepFor(absl::Milliseconds(20));
  Answerer gateway("200 OK");
  const ProcessResult pushed = Push("out", gateway.url());
  running.join();
  EXPECT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_EQ(pushed.exit_code, kExitFolder) << pushed.err;
  EXPECT_TRUE(gateway.requests().empty());
}

TEST_F(Observed, ForgetDeletesTheGroupOfARealGatewayAndSaysSo) {
  if (!Pushgateway::Installed()) GTEST_SKIP() << "prometheus-pushgateway is not installed";
  Pushgateway gateway;
  ASSERT_TRUE(gateway.up());
  const std::vector<std::string> flags = {"--push-gateway", gateway.url()};
  ASSERT_EQ(RunInto("out", flags).exit_code, kExitOk);
  const std::string label = "experiment=\"fake-run\"";
  EXPECT_TRUE(absl::StrContains(HttpGet(gateway.port(), "/metrics"), label));
  auto forget = [&](const std::string& what) {
    return Call({"forget", what, "--push-gateway", gateway.url()});
  };
  EXPECT_EQ(forget("another").exit_code, kExitInput);
  const ProcessResult by_name = forget("fake-run");
  EXPECT_EQ(by_name.exit_code, kExitOk) << by_name.err;
  EXPECT_TRUE(absl::StrContains(by_name.out, " series of experiment fake-run at ")) << by_name.out;
  EXPECT_FALSE(absl::StrContains(HttpGet(gateway.port(), "/metrics"), label));
  const ProcessResult gone = forget("fake-run");
  EXPECT_EQ(gone.exit_code, kExitInput);
  EXPECT_TRUE(absl::StrContains(gone.err, "nothing of experiment fake-run to forget")) << gone.err;
  const ProcessResult pushed =
      Call({"push", folder_ / "out", "--push-gateway", gateway.url(), "--json"});
  ASSERT_EQ(pushed.exit_code, kExitOk) << pushed.err;
  const ProcessResult by_folder =
      Call({"forget", folder_ / "out", "--push-gateway", gateway.url(), "--json"});
  ASSERT_EQ(by_folder.exit_code, kExitOk) << by_folder.err;
  EXPECT_EQ((*ParseJson(by_folder.out))["deleted_series"], (*ParseJson(pushed.out))["series"]);
  EXPECT_EQ((*ParseJson(by_folder.out))["experiment"], "fake-run");
  EXPECT_FALSE(absl::StrContains(HttpGet(gateway.port(), "/metrics"), label));
}

TEST_F(Observed, ABrokenGatewayChangesNothingButItsOwnCount) {
  ASSERT_EQ(RunInto("plain").exit_code, kExitOk);
  const auto expected = Results("plain");
  Answerer silent(""), slow("200 OK", absl::Milliseconds(500)), refuses("400 Bad Request"),
      breaks("500 Oops");
  const std::map<std::string, std::string> gateways = {
      {"down", absl::StrCat("http://127.0.0.1:", FreePort())},
      {"silent", silent.url()},
      {"slow", slow.url()},
      {"refuses", refuses.url()},
      {"breaks", breaks.url()}};
  for (const auto& [name, url] : gateways) {
    SCOPED_TRACE(name);
    const ProcessResult run = RunInto(name, {"--push-gateway", url});
    EXPECT_EQ(run.exit_code, kExitOk) << run.err;
    EXPECT_TRUE(absl::StrContains(run.err, "pushes failed")) << run.err;
    EXPECT_TRUE(Results(name) == expected);
  }
}

TEST_F(Observed, APlanWithTooManySeriesIsSaidAtTheStart) {
  service_.Stop();
  std::filesystem::remove(lock());
  Freeze(300);
  service_.Stop();
  patience_ = "0.1";
  const ProcessResult run = RunInto("out", {"--metrics-listen", "127.0.0.1:0"});
  EXPECT_EQ(run.exit_code, kExitUnreachable) << run.err;
  EXPECT_TRUE(absl::StrContains(run.err, "left out: seed, layer, draw")) << run.err;
  const ProcessResult unseen = RunInto("unseen");
  EXPECT_FALSE(absl::StrContains(unseen.err, "left out")) << unseen.err;
}

}  // namespace
}  // namespace steer
