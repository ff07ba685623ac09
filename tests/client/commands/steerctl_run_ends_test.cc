// How runs, reports and pushes end where something around them fails: the exit code, what is said,
// and what is left in the folder.
#include <stdlib.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands/exit_code.h"
#include "client/commands/run_metrics.h"
#include "client/plan/lock.h"
#include "client/run/result_log.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/commands/edited_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

class RunEnds : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path());
    service_.Start();
    Freeze();
  }
  void Freeze() {
    const ProcessResult frozen = RunSteerctl({"plan", "freeze", folder_ / "plan.yaml", "--output",
                                              lock(), "--replace", "--server", service_.address()});
    ASSERT_EQ(frozen.exit_code, kExitOk) << frozen.err;
  }
  void ReplaceInPlan(const std::string& old, const std::string& text) {
    std::string plan = ReadAll(folder_ / "plan.yaml");
    ASSERT_NE(plan.find(old), std::string::npos) << plan;
    WriteAll(folder_ / "plan.yaml", plan.replace(plan.find(old), old.size(), text));
  }
  ProcessResult Run(const std::string& output, const ProcessOptions& options = {},
                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {
        "run",        lock(), "--output", folder_ / output, "--server", service_.address(),
        "--patience", "0.5"};
    words.insert(words.end(), more.begin(), more.end());
    return RunSteerctl(words, options);
  }
  static ProcessOptions Failing(const std::string& failpoints) {
    ProcessOptions options;
    options.failpoints = failpoints;
    return options;
  }
  static void ExpectEnd(const ProcessResult& result, int exit_code, const std::string& said) {
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_TRUE(absl::StrContains(result.err, said)) << said << "\n" << result.err;
  }
  std::string lock() const { return folder_ / "frozen.json"; }

  TemporaryFolder folder_;
  EditedService service_;
};

TEST_F(RunEnds, JsonIsTheSummaryOfRunAndReport) {
  const ProcessResult run = Run("out", {}, {"--json"});
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_EQ(run.out, ReadAll(folder_ / "out/summary.json"));
  EXPECT_EQ(RunSteerctl({"report", folder_ / "out", "--json"}).out, run.out);
}

TEST_F(RunEnds, WithoutOutputTheFolderIsNamedByPlanAndDigest) {
  ProcessOptions there;
  there.before = absl::StrCat("cd ", folder_.path());
  const ProcessResult run = RunSteerctl({"run", lock(), "--server", service_.address()}, there);
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  const std::string digest = (*ReadJsonFile(lock()))["digest"].get<std::string>();
  EXPECT_FALSE(
      ReadAll(absl::StrCat(folder_ / "runs/fake-run-", digest.substr(0, 12), "/summary.json"))
          .empty());
}

TEST_F(RunEnds, WithoutAUsableLayerTheVerdictIsIncompleteAndNothingIsMissing) {
  service_.behaviour.unusable_layers = {0, 1, 2, 3, 4, 5};
  const ProcessResult run = Run("out");
  EXPECT_EQ(run.exit_code, kExitIncomplete) << run.err;
  EXPECT_TRUE(absl::StrContains(run.out, "verdict: INCOMPLETE")) << run.out;
  EXPECT_TRUE(absl::StrContains(run.err, "no layer has a usable direction")) << run.err;
  EXPECT_FALSE(absl::StrContains(run.err, "cells are missing")) << run.err;
}

TEST_F(RunEnds, WhereRunJsonCannotBeWritten) {
  // At the start, nothing is measured.
  ExpectEnd(Run("start", Failing("run.run_json.before_rename=error@1")), kExitDisk,
            "cannot write run.json");
  EXPECT_EQ(service_.fit_calls(), 0);
  // At the end, results are there.
  const std::string at_end = "run.run_json.before_rename=error@2";
  ExpectEnd(Run("end", Failing(at_end)), kExitDisk, "cannot write run.json");
  EXPECT_FALSE(ReadAll(folder_ / "end/summary.json").empty());
  // After another failure, that one gives the code, and the disk is named beside it, once.
  ProcessResult run = Run("log", Failing(at_end + ",run.log.before_sync=error@5"));
  ExpectEnd(run, kExitDisk, "what is measured is safe in ");
  EXPECT_FALSE(absl::StrContains(run.err, "cannot write run.json")) << run.err;
  service_.behaviour.model_fingerprint = std::string(64, 'c');
  run = Run("model", Failing(at_end));
  ExpectEnd(run, kExitServer, "cannot write run.json");
  EXPECT_TRUE(absl::StrContains(run.err, "not the one that the plan was frozen for")) << run.err;
}

TEST_F(RunEnds, AFailingDiskStopsEveryServer) {
  EditedService other;
  other.Start();
  service_.behaviour.row_milliseconds = 10;
  other.behaviour.row_milliseconds = 10;
  ProcessOptions options = Failing("run.log.before_sync=error@6");
  const ProcessResult run = RunSteerctl({"run", lock(), "--output", folder_ / "out", "--server",
                                         absl::StrCat(service_.address(), ",", other.address())},
                                        options);
  ExpectEnd(run, kExitDisk, "DISK");
}

TEST_F(RunEnds, ReportsOfDamagedFolders) {
  ASSERT_EQ(Run("out").exit_code, kExitOk);
  const std::string out = folder_ / "out", log = out + "/cells.jsonl";
  const std::string records = ReadAll(log);
  WriteAll(log, records + "{\"cut");
  ProcessResult report = RunSteerctl({"report", out});
  ExpectEnd(report, kExitOk, "dropped 5 bytes of a record that was cut off");
  EXPECT_EQ(ReadAll(log), records);
  ExpectEnd(RunSteerctl({"report", out}, Failing("run.summary.before_rename=error")), kExitDisk,
            out + "/summary.json");
  ProcessOptions without;
  without.path = "/nowhere";
  report = RunSteerctl({"report", out}, without);
  ExpectEnd(report, kExitFigure, "gnuplot");
  EXPECT_TRUE(absl::StrContains(report.out, "verdict: ")) << report.out;
  const std::vector<std::vector<std::string>> commands = {
      {"report", out}, {"push", out, "--push-gateway", "http://127.0.0.1:1"}};
  WriteAll(log, "damage\n" + records);
  for (const auto& words : commands) ExpectEnd(RunSteerctl(words), kExitInput, "cells.jsonl:1");
  WriteAll(log, records);
  WriteAll(out + "/lock.json", "{}");
  for (const auto& words : commands) ExpectEnd(RunSteerctl(words), kExitInput, "not a lock");
  ExpectEnd(RunSteerctl({"forget", out, "--push-gateway", "http://127.0.0.1:1"}), kExitInput,
            "not a lock");
}

// What is observed beside a result is read where it is there, and never needed.
TEST_F(RunEnds, MetricsOfALogWithoutTimes) {
  ASSERT_EQ(Run("out").exit_code, kExitOk);
  const absl::StatusOr<Lock> lock = LoadLock(folder_ / "out/lock.json");
  ASSERT_TRUE(lock.ok()) << lock.status();
  auto timed = *ResultLog::Open(folder_ / "out/cells.jsonl");
  auto plain = *ResultLog::Open(folder_ / "plain.jsonl");
  for (const Record& record : timed->records()) {
    ASSERT_TRUE(plain->Append({record.key, record.payload}).ok());
  }
  const auto count = [&](const ResultLog& log) {
    const absl::StatusOr<RunState> state = ReadRunState(*lock, log);
    EXPECT_TRUE(state.ok()) << state.status();
    const std::string page = RunMetrics(*lock, *state, RunFacts()).Render();
    const std::string name = "steer_experiment_cell_seconds_count{stage=\"test\"} ";
    EXPECT_TRUE(absl::StrContains(page, name)) << page;
    return atoi(page.c_str() + page.find(name) + name.size());
  };
  EXPECT_EQ(count(*timed), 12);
  EXPECT_EQ(count(*plain), 0);
}

TEST_F(RunEnds, APushOfAnotherLocksRecordsIsRefused) {
  ASSERT_EQ(Run("out").exit_code, kExitOk);
  ReplaceInPlan("seed: 7", "seed: 8");
  Freeze();
  ASSERT_EQ(Run("other").exit_code, kExitOk);
  WriteAll(folder_ / "out/cells.jsonl", ReadAll(folder_ / "other/cells.jsonl"));
  ExpectEnd(RunSteerctl({"push", folder_ / "out", "--push-gateway", "http://127.0.0.1:1"}),
            kExitInput, "lock");
}

TEST_F(RunEnds, WhatMetricsLeaveOutIsSaidWhereThereAreAny) {
  WriteExperimentFiles(folder_.path(), 8);
  std::string seeds = "seeds: [0";
  for (int i = 1; i < 17; ++i) absl::StrAppend(&seeds, ", ", i);
  ReplaceInPlan("seeds: [0, 1]", seeds + "]");
  service_.behaviour.layers = 80;
  Freeze();
  service_.Stop();
  ExpectEnd(Run("pushed", {}, {"--push-gateway", "http://127.0.0.1:1"}), kExitUnreachable,
            "left out: seed\n");
  const ProcessResult run = Run("plain");
  EXPECT_EQ(run.exit_code, kExitUnreachable);
  EXPECT_FALSE(absl::StrContains(run.err, "left out")) << run.err;
}

TEST_F(RunEnds, ATrialThatBreaksCountsItsRowsOnce) {
  service_.behaviour.broken_streams = 1;
  service_.behaviour.break_after = 1;
  service_.behaviour.limits.set_max_prompts(0);  // a server that names no limit
  const ProcessResult check = RunSteerctl({"plan", "check", folder_ / "plan.yaml", "--trial",
                                           "--json", "--server", service_.address()});
  ASSERT_EQ(check.exit_code, kExitOk) << check.err;
  EXPECT_EQ((*ParseJson(check.out))["work"]["trial"]["rows"], 16);
  EXPECT_EQ(service_.evaluate_requests().size(), 3u);
}

TEST_F(RunEnds, APlanFrozenForPrograms) {
  const ProcessResult frozen =
      RunSteerctl({"plan", "freeze", folder_ / "plan.yaml", "--output", folder_ / "again.json",
                   "--json", "--server", service_.address()});
  ASSERT_EQ(frozen.exit_code, kExitOk) << frozen.err;
  const Json json = *ParseJson(frozen.out);
  EXPECT_EQ(json["lock"], folder_ / "again.json");
  EXPECT_EQ(json["digest"], (*ReadJsonFile(lock()))["digest"]);
  EXPECT_EQ(RunSteerctl({"plan", "show", lock(), "--json"}).out, ReadAll(lock()));
}

}  // namespace
}  // namespace steer
