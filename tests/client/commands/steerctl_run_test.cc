// The program, end to end against a fake service: verdict, resume after kill -9 at every durable
// step, faults of the disk, exit codes.
#include <signal.h>
#include <unistd.h>

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

namespace steer {
namespace {

namespace fs = std::filesystem;

// What a run of the same lock must always leave with the same bytes.
constexpr const char* kDeterministic[] = {"summary.json", "verdict.json", "figure.svg",
                                          "figure.png",   "report.html",  "lock.json"};

class Steerctl : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path(), 2);
    service_.Start();
    ProcessResult frozen = RunSteerctl({"plan", "freeze", folder_ / "plan.yaml", "--output", lock(),
                                        "--server", service_.address()});
    ASSERT_EQ(frozen.exit_code, 0) << frozen.err;
  }
  std::string lock() const { return folder_ / "lock.json"; }
  ProcessResult Run(const std::string& output, const ProcessOptions& options = {},
                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "run",        lock(), "--output", folder_ / output, "--server", service_.address(),
        "--patience", "60"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunSteerctl(arguments, options);
  }
  std::map<std::string, std::string> Outputs(const std::string& output) const {
    std::map<std::string, std::string> files;
    for (const char* name : kDeterministic) files[name] = ReadAll(folder_ / output + "/" + name);
    return files;
  }
  void ExpectSame(const std::string& output,
                  const std::map<std::string, std::string>& expected) const {
    for (const auto& [name, bytes] : Outputs(output)) {
      EXPECT_FALSE(bytes.empty()) << output << "/" << name;
      EXPECT_TRUE(bytes == expected.at(name)) << output << "/" << name << " differs";
    }
  }
  TemporaryFolder folder_;
  FakeService service_;
};

TEST_F(Steerctl, RunsToTheVerdict) {
  ProcessResult run = Run("out");
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_TRUE(absl::StrContains(run.out, "verdict: SINGLE-DIRECTION-REPRODUCES")) << run.out;
  EXPECT_TRUE(absl::StrContains(run.out, "ablate, control 1"));
  auto summary = ReadJsonFile(folder_ / "out/summary.json");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ((*summary)["verdict"], "SINGLE-DIRECTION-REPRODUCES");
  ASSERT_EQ((*summary)["seeds"].size(), 2u);
  const Json& seed = (*summary)["seeds"][0];
  EXPECT_EQ(seed["selection"]["layer"], 3);
  EXPECT_EQ(seed["arms"].size(), 8u);
  EXPECT_EQ(seed["arms"][0]["n"], 10);
  EXPECT_EQ(seed["fit"]["layers"].size(), 6u);
  EXPECT_FALSE(ReadAll(folder_ / "out/figure.png").empty());
  EXPECT_TRUE(ReadJsonFile(folder_ / "out/run.json").ok());
  // The report rebuilds the same bytes, without a server.
  auto first = Outputs("out");
  service_.Stop();
  for (const char* name : kDeterministic) {
    if (std::string(name) != "lock.json") fs::remove(folder_ / "out/" + name);
  }
  ProcessResult report = RunSteerctl({"report", folder_ / "out"});
  EXPECT_EQ(report.exit_code, kExitOk) << report.err;
  ExpectSame("out", first);
  // And so does running it again.
  EXPECT_EQ(Run("out").exit_code, kExitOk);
  ExpectSame("out", first);
}

TEST_F(Steerctl, NoPromptTextInAnyOutput) {
  ProcessResult run = Run("out");
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  ProcessResult check =
      RunSteerctl({"plan", "check", folder_ / "plan.yaml", "--server", service_.address()});
  ASSERT_EQ(check.exit_code, kExitOk) << check.err;
  ProcessResult show = RunSteerctl({"plan", "show", lock()});
  for (const std::string& said : {run.out, run.err, check.out, check.err, show.out, show.err}) {
    EXPECT_FALSE(absl::StrContains(said, kCanary));
  }
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out")) {
    std::string bytes = ReadAll(entry.path().string());
    EXPECT_FALSE(absl::StrContains(bytes, kCanary)) << entry.path();
    EXPECT_FALSE(absl::StrContains(bytes, kHarmfulWord)) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 8);
  EXPECT_FALSE(absl::StrContains(ReadAll(lock()), kCanary));
}

TEST_F(Steerctl, AServersWordsThatQuoteAPromptStayOutOfFiles) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
    return DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, r.prompts(0).user(),
                          "INVALID_REQUEST");
  };
  EXPECT_EQ(Run("out").exit_code, kExitIncomplete);
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out")) {
    EXPECT_FALSE(absl::StrContains(ReadAll(entry.path().string()), kCanary)) << entry.path();
  }
}

TEST_F(Steerctl, KilledAtEveryDurableStepEndsInTheSameBytes) {
  ASSERT_EQ(Run("whole").exit_code, kExitOk);
  auto expected = Outputs("whole");
  std::vector<std::string> points;
  for (const char* name : {"run.lock_copy", "run.run_json", "run.summary", "run.verdict",
                           "run.figure_svg", "run.figure_png", "run.report"}) {
    points.push_back(absl::StrCat(name, ".before_rename=kill@1"));
    points.push_back(absl::StrCat(name, ".after_rename=kill@1"));
  }
  points.push_back("run.run_json.before_rename=kill@2");
  // Records: 1 a fit, 2-13 selection, 14 the choice, 15-22 test; the second seed alike.
  for (int record : {1, 2, 9, 13, 14, 15, 22, 23, 36, 44}) {
    points.push_back(absl::StrCat("run.log.before_append=kill@", record));
    points.push_back(absl::StrCat("run.log.mid_append=kill@", record));
    points.push_back(absl::StrCat("run.log.before_sync=kill@", record));
    points.push_back(absl::StrCat("run.log.after_append=kill@", record));
  }
  int number = 0;
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    std::string output = absl::StrCat("killed-", ++number);
    ProcessOptions options;
    options.failpoints = point;
    EXPECT_EQ(Run(output, options).signal, SIGKILL);
    ProcessResult again = Run(output);
    EXPECT_EQ(again.exit_code, kExitOk) << again.err;
    if (absl::StrContains(point, "mid_append")) {
      EXPECT_TRUE(absl::StrContains(again.err, "cut off")) << again.err;
    }
    ExpectSame(output, expected);
    for (const auto& entry : fs::directory_iterator(folder_ / output)) {
      EXPECT_FALSE(absl::StrContains(entry.path().string(), ".tmp.")) << entry.path();
    }
    fs::remove_all(folder_ / output);
  }
}

TEST_F(Steerctl, KilledAtAnyMomentEndsInTheSameBytes) {
  ASSERT_EQ(Run("whole").exit_code, kExitOk);
  auto expected = Outputs("whole");
  service_.behaviour.row_milliseconds = 2;
  for (int i = 1; i <= 6; ++i) {
    ProcessOptions options;
    options.signal_after = 0.15 * i;
    options.signal_sent = SIGKILL;
    Run("killed", options);
  }
  service_.behaviour.row_milliseconds = 0;
  ASSERT_EQ(Run("killed").exit_code, kExitOk);
  ExpectSame("killed", expected);
}

TEST_F(Steerctl, AServerThatRestartsInTheMiddleIsWaitedFor) {
  ASSERT_EQ(Run("whole").exit_code, kExitOk);
  auto expected = Outputs("whole");
  service_.behaviour.row_milliseconds = 3;
  std::thread restart([&] {
    absl::SleepFor(absl::Milliseconds(700));
    service_.Stop();
    absl::SleepFor(absl::Milliseconds(500));
    service_.Start();
  });
  ProcessResult run = Run("restarted");
  restart.join();
  EXPECT_EQ(run.exit_code, kExitOk) << run.err;
  ExpectSame("restarted", expected);
}

TEST_F(Steerctl, CtrlCStopsAfterADurableCellAndTheRunGoesOn) {
  service_.behaviour.row_milliseconds = 30;
  ProcessOptions options;
  options.signal_after = 3;
  options.signal_sent = SIGINT;
  ProcessResult run = Run("out", options);
  EXPECT_EQ(run.exit_code, kExitInterrupted) << run.err;
  service_.behaviour.row_milliseconds = 0;
  EXPECT_EQ(Run("out").exit_code, kExitOk);
}

TEST_F(Steerctl, AWrongReceiptIsLoudAndTheVerdictIncomplete) {
  service_.behaviour.edit_receipt = [](v1::ArmResult* r) {
    if (r->name() == "add/harmless") r->mutable_receipt()->set_edits(r->receipt().edits() - 1);
  };
  ProcessResult run = Run("out", {}, {"--quiet"});
  EXPECT_EQ(run.exit_code, kExitIncomplete);
  EXPECT_TRUE(absl::StrContains(run.err, "WRONG_RECEIPT")) << run.err;
  auto verdict = ReadJsonFile(folder_ / "out/verdict.json");
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ((*verdict)["verdict"], "INCOMPLETE");
  // Once the server is right, the same command completes the run; nothing of the failure is left in
  // the summary.
  service_.behaviour.edit_receipt = nullptr;
  ASSERT_EQ(Run("out").exit_code, kExitOk);
  auto fixed = Outputs("out");
  ASSERT_EQ(Run("fresh").exit_code, kExitOk);
  ExpectSame("fresh", fixed);
}

TEST_F(Steerctl, AFullDiskHasItsOwnCodeAndLosesNothing) {
  ProcessOptions options;
  options.file_size_limit = 24;
  ProcessResult run = Run("out", options);
  EXPECT_EQ(run.exit_code, kExitDisk) << run.err;
  EXPECT_TRUE(absl::StrContains(run.err, "DISK")) << run.err;
  ASSERT_EQ(Run("out").exit_code, kExitOk);
  auto resumed = Outputs("out");
  ASSERT_EQ(Run("fresh").exit_code, kExitOk);
  ExpectSame("fresh", resumed);
}

TEST_F(Steerctl, AFailingDiskHasItsOwnCodeWhereverItFails) {
  ProcessOptions options;
  for (const char* point : {"before_append", "mid_append", "before_sync"}) {
    options.failpoints = absl::StrCat("run.log.", point, "=error@5");
    EXPECT_EQ(Run("out", options).exit_code, kExitDisk) << point;
  }
  options.failpoints = "run.summary.before_rename=error";
  EXPECT_EQ(Run("out", options).exit_code, kExitDisk);
  EXPECT_EQ(Run("out").exit_code, kExitOk);
}

TEST_F(Steerctl, BaselineBelowTheFloorIsAVerdictAndExitsWithZero) {
  service_.behaviour.baseline_refusal = 0.2;
  ProcessResult run = Run("out");
  EXPECT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_TRUE(absl::StrContains(run.out, "verdict: NO-BASELINE-REFUSAL")) << run.out;
  // Every arm was run all the same.
  EXPECT_EQ((*ReadJsonFile(folder_ / "out/summary.json"))["seeds"][1]["arms"].size(), 8u);
}

TEST_F(Steerctl, OtherFailuresHaveTheirCodes) {
  EXPECT_EQ(RunSteerctl({"run", folder_ / "absent.json"}).exit_code, kExitInput);
  EXPECT_EQ(RunSteerctl({"run", folder_ / "plan.yaml"}).exit_code, kExitInput);
  EXPECT_EQ(RunSteerctl({"run", lock(), "--no-such-flag"}).exit_code, kExitUsage);
  EXPECT_EQ(RunSteerctl({"run"}).exit_code, kExitUsage);
  EXPECT_EQ(RunSteerctl({}).exit_code, kExitUsage);
  EXPECT_EQ(RunSteerctl({"run", lock(), "--server", "nonsense"}).exit_code, kExitUsage);
  EXPECT_EQ(
      RunSteerctl({"run", lock(), "--output", folder_ / "p", "--pushgateway", "ftp://x"}).exit_code,
      kExitUsage);
  fs::create_directories(folder_ / "other");
  WriteAll(folder_ / "other/x", "y");
  EXPECT_EQ(Run("other").exit_code, kExitFolder);
  // A lock that was changed by hand.
  std::string text = ReadAll(lock());
  text.replace(text.find("fake-run"), 8, "fake-ran");
  WriteAll(folder_ / "changed.json", text);
  EXPECT_EQ(RunSteerctl({"run", folder_ / "changed.json"}).exit_code, kExitInput);
  // Another model, and none at all.
  service_.behaviour.model_fingerprint = std::string(64, 'c');
  EXPECT_EQ(Run("model").exit_code, kExitServer);
  service_.Stop();
  ProcessResult away = RunSteerctl({"run", lock(), "--output", folder_ / "away", "--server",
                                    service_.address(), "--patience", "0.5"});
  EXPECT_EQ(away.exit_code, kExitUnreachable);
  EXPECT_TRUE(absl::StrContains(away.err, service_.address())) << away.err;
}

TEST_F(Steerctl, WithoutGnuplotResultsAreWrittenAndTheCodeSaysSo) {
  ProcessOptions options;
  options.path = folder_ / "no-programs";
  ProcessResult run = Run("out", options);
  EXPECT_EQ(run.exit_code, kExitFigure) << run.err;
  EXPECT_FALSE(ReadAll(folder_ / "out/summary.json").empty());
  EXPECT_FALSE(ReadAll(folder_ / "out/report.html").empty());
}

TEST_F(Steerctl, SplitsWithTextNeverLandInARunFolder) {
  ASSERT_EQ(Run("out").exit_code, kExitOk);
  EXPECT_EQ(RunSteerctl(
                {"plan", "splits", lock(), "--seed", "1", "--output", folder_ / "out/splits.json"})
                .exit_code,
            kExitUsage);
  EXPECT_FALSE(fs::exists(folder_ / "out/splits.json"));
  ProcessResult rows = RunSteerctl({"plan", "splits", lock()});
  EXPECT_EQ(rows.exit_code, kExitOk);
  EXPECT_FALSE(absl::StrContains(rows.out, kCanary));
  fs::create_directories(folder_ / "elsewhere");
  fs::rename(lock(), folder_ / "elsewhere.json");
  ProcessResult written = RunSteerctl({"plan", "splits", folder_ / "elsewhere.json", "--seed", "1",
                                       "--output", folder_ / "elsewhere/splits.json"});
  EXPECT_EQ(written.exit_code, kExitOk) << written.err;
  auto splits = ReadJsonFile(folder_ / "elsewhere/splits.json");
  ASSERT_TRUE(splits.ok()) << splits.status();
  EXPECT_EQ((*splits)["harmful"]["test"].size(), 10u);
}

}  // namespace
}  // namespace steer
