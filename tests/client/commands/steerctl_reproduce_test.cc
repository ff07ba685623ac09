// `steerctl reproduce` as a program, against a fake service: exit codes, JSON, server and data.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands/exit_code.h"
#include "common/json.h"
#include "common/numeric_fingerprint.h"
#include "gtest/gtest.h"
#include "tests/client/commands/edited_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

class SteerctlReproduce : public ::testing::Test {
 protected:
  void SetUp() override {
    // The facts that the fake gives, so that they prove its fingerprint.
    service_.behaviour.numeric_fingerprint = NumericFingerprint({{"threads", "2"}});
    WriteExperimentFiles(folder_.path());
    service_.Start();
    ProcessResult frozen = RunSteerctl({"plan", "freeze", folder_ / "plan.yaml", "--output",
                                        folder_ / "lock.json", "--server", service_.address()});
    ASSERT_EQ(frozen.exit_code, 0) << frozen.err;
    ASSERT_EQ(Run("out").exit_code, kExitOk);
  }
  ProcessResult Run(const std::string& output) {
    return RunSteerctl({"run", folder_ / "lock.json", "--output", folder_ / output, "--server",
                        service_.address(), "--quiet"});
  }
  ProcessResult Reproduce(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"reproduce", folder_ / "out"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ProcessResult result = RunSteerctl(arguments);
    EXPECT_FALSE(absl::StrContains(result.out + result.err, kCanary));
    return result;
  }
  TemporaryFolder folder_;
  EditedService service_;
};

TEST_F(SteerctlReproduce, NeedsNoServerAndPrintsTheCommands) {
  service_.Stop();
  const ProcessResult result = Reproduce();
  EXPECT_EQ(result.exit_code, kExitOk) << result.out << result.err;
  for (const char* said :
       {"ok  lock.json     digest ", "whole: nothing that was checked", "steerctl 0.1.0+",
        "steerd --model \"${MODEL:?", "--threads 2", "steerctl run ", "--against "}) {
    EXPECT_TRUE(absl::StrContains(result.out, said)) << said << "\n" << result.out;
  }
}

TEST_F(SteerctlReproduce, JsonHasTheChecksTheBuildsAndTheCommands) {
  const ProcessResult result = Reproduce({"--json"});
  EXPECT_EQ(result.exit_code, kExitOk) << result.err;
  const auto json = ParseJson(result.out);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["checks"].size(), 12u);
  for (const Json& check : (*json)["checks"]) EXPECT_EQ(check["state"], "ok") << check;
  const Json& server = (*json)["made_by"]["servers"][0];
  EXPECT_EQ(server["model_fingerprint"], service_.behaviour.model_fingerprint);
  EXPECT_EQ(server["name"], "fake-model");
  EXPECT_EQ(server["proven"], true);
  EXPECT_EQ((*json)["commands"].size(), 4u);
  EXPECT_EQ((*json)["commands"][0]["fill_in"], Json({"MODEL"}));
  EXPECT_TRUE((*json)["against"].is_null());
}

TEST_F(SteerctlReproduce, DamageIsCodeThree) {
  WriteAll(folder_ / "out/verdict.json", "{}");
  const ProcessResult result = Reproduce();
  EXPECT_EQ(result.exit_code, kExitInput);
  EXPECT_TRUE(absl::StrContains(result.out, "differs  verdict.json")) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "damaged")) << result.out;
  EXPECT_EQ(ReadAll(folder_ / "out/verdict.json"), "{}") << "it is left as it was";
}

TEST_F(SteerctlReproduce, FiguresAloneAreCodeNineAndAMissingRunCodeEight) {
  std::filesystem::remove(folder_ / "out/figure.png");
  EXPECT_EQ(Reproduce().exit_code, kExitFigure);
  EXPECT_EQ(RunSteerctl({"reproduce", folder_.path() + "/nothing"}).exit_code, kExitFolder);
  EXPECT_EQ(Reproduce({"--against", folder_ / "out/."}).exit_code, kExitUsage);
}

TEST_F(SteerctlReproduce, DataFilesAreCheckedOneByOne) {
  EXPECT_EQ(Reproduce({"--data-root", folder_.path()}).exit_code, kExitOk);
  WriteAll(folder_ / "harmless.txt", ReadAll(folder_ / "harmless.txt") + "one more\n");
  const ProcessResult result = Reproduce({"--data-root", folder_.path()});
  EXPECT_EQ(result.exit_code, kExitInput);
  EXPECT_TRUE(absl::StrContains(result.out, "ok       data harmful.txt")) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "differs  data harmless.txt")) << result.out;
}

TEST_F(SteerctlReproduce, ServersAreCheckedOneByOne) {
  ProcessResult result = Reproduce({"--server", service_.address()});
  EXPECT_EQ(result.exit_code, kExitOk) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "the same bits are expected")) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "--server " + service_.address())) << result.out;
  // Other numbers are said and held against nobody.
  service_.behaviour.numeric_fingerprint = std::string(64, 'c');
  result = Reproduce({"--server", service_.address()});
  EXPECT_EQ(result.exit_code, kExitOk) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "may differ in the last places")) << result.out;
  // Another model is.
  service_.behaviour.model_fingerprint = std::string(64, 'd');
  result = Reproduce({"--server", service_.address()});
  EXPECT_EQ(result.exit_code, kExitServer) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "model fingerprint: locked aaaa")) << result.out;
  service_.Stop();
  result = Reproduce({"--server", service_.address(), "--patience", "0.2"});
  EXPECT_EQ(result.exit_code, kExitUnreachable) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "no answer")) << result.out;
}

TEST_F(SteerctlReproduce, NumericFactsThatDifferAreNamed) {
  const std::vector<std::string> ask = {"--server", service_.address()};
  service_.behaviour.numeric_fingerprint = std::string(64, 'c');
  const auto numbers = [&] {
    const ProcessResult result = Reproduce(ask);
    EXPECT_EQ(result.exit_code, kExitOk) << result.out;
    const size_t at = result.out.find("may differ in the last places");
    EXPECT_NE(at, std::string::npos) << result.out;
    return result.out.substr(at, result.out.find('\n', at) - at);
  };
  const std::string same = "may differ in the last places";
  EXPECT_EQ(numbers(), same) << "no fact says why";
  service_.edit_model = [](v1::GetModelResponse* model) {
    (*model->mutable_numeric_facts())["threads"] = "4";
  };
  EXPECT_EQ(numbers(), same + " (threads 2, here 4)");
  service_.edit_model = [](v1::GetModelResponse* model) { model->clear_numeric_facts(); };
  EXPECT_EQ(numbers(), same + " (threads 2, here unknown)");
  // Facts that do not prove the fingerprint, or none, say nothing.
  std::string run = ReadAll(folder_ / "out/run.json");
  run.replace(run.find("\"threads\": \"2\""), 14, "\"threads\": \"3\"");
  WriteAll(folder_ / "out/run.json", run);
  EXPECT_EQ(numbers(), same);
  std::filesystem::remove(folder_ / "out/run.json");
  EXPECT_EQ(numbers(), same);
}

TEST_F(SteerctlReproduce, OfARunOnServersWithOtherNumbers) {
  EditedService other;
  other.behaviour.numeric_fingerprint = std::string(64, 'c');
  other.Start();
  service_.behaviour.row_milliseconds = 3;
  other.behaviour.row_milliseconds = 3;
  ASSERT_EQ(RunSteerctl({"run", folder_ / "lock.json", "--output", folder_ / "two", "--server",
                         absl::StrCat(service_.address(), ",", other.address())})
                .exit_code,
            kExitOk);
  std::filesystem::remove_all(folder_ /
                              "two/sets");  // the fake's are none that a server would take
  const ProcessResult result =
      RunSteerctl({"reproduce", folder_ / "two", "--server", other.address()});
  EXPECT_EQ(result.exit_code, kExitOk) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "fingerprint, one of several: the same bits"))
      << result.out;
}

TEST_F(SteerctlReproduce, AServerThatRefusesIsCodeFive) {
  service_.Refuse("GetModel");
  const ProcessResult result = Reproduce({"--server", service_.address()});
  EXPECT_EQ(result.exit_code, kExitServer) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "no answer: not for you")) << result.out;
}

TEST_F(SteerctlReproduce, CommandsNameWholePaths) {
  ProcessResult result = RunSteerctl({"reproduce", folder_ / "out/"});
  EXPECT_TRUE(absl::StrContains(result.out, folder_ / "out-again")) << result.out;
  // As far as they can be had.
  ProcessOptions nowhere;
  nowhere.before = "cd $(mktemp -d) && rmdir $PWD";
  result = RunSteerctl({"reproduce", folder_ / "out", "--output", "again"}, nowhere);
  EXPECT_EQ(result.exit_code, kExitOk) << result.err;
  EXPECT_TRUE(absl::StrContains(result.out, "--output again")) << result.out;
}

TEST_F(SteerctlReproduce, ARunThatHasNotComeToItsEndIsCodeSix) {
  // For a reason that concerns the fit alone.
  service_.refused["FitDirection"] =
      DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "not these", "INVALID_REQUEST");
  ASSERT_EQ(Run("unfinished").exit_code, kExitIncomplete);
  ProcessResult result = RunSteerctl({"reproduce", folder_ / "unfinished"});
  EXPECT_EQ(result.exit_code, kExitIncomplete) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "unfinished: what is measured holds")) << result.out;
  result = Reproduce({"--against", folder_ / "unfinished"});
  EXPECT_EQ(result.exit_code, kExitIncomplete) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "a run has not come to its end")) << result.out;
}

TEST_F(SteerctlReproduce, ALockThatIsDamagedLeavesNothingToRunAgain) {
  WriteAll(folder_ / "out/lock.json", "{}");
  const ProcessResult result = Reproduce();
  EXPECT_EQ(result.exit_code, kExitInput);
  EXPECT_FALSE(absl::StrContains(result.out, "To run it again")) << result.out;
  EXPECT_TRUE((*ParseJson(Reproduce({"--json"}).out))["lock_digest"].is_null());
}

TEST_F(SteerctlReproduce, AgainstWhatIsNoRunOrOfAnotherLock) {
  ProcessResult result = Reproduce({"--against", folder_ / "absent"});
  EXPECT_EQ(result.exit_code, kExitFolder);
  EXPECT_TRUE(absl::StrContains(result.err, folder_ / "absent")) << result.err;
  EXPECT_TRUE(absl::StrContains(result.out, "ok  lock.json")) << result.out;
  std::string plan = ReadAll(folder_ / "plan.yaml");
  plan.replace(plan.find("seed: 7"), 7, "seed: 8");
  WriteAll(folder_ / "plan.yaml", plan);
  ASSERT_EQ(RunSteerctl({"plan", "freeze", folder_ / "plan.yaml", "--output", folder_ / "lock.json",
                         "--replace", "--server", service_.address()})
                .exit_code,
            kExitOk);
  ASSERT_EQ(Run("other").exit_code, kExitOk);
  result = Reproduce({"--against", folder_ / "other"});
  EXPECT_EQ(result.exit_code, kExitFolder);
  EXPECT_TRUE(absl::StrContains(result.err, "only runs of one lock can be compared")) << result.err;
}

// Without it nobody knows who made the run; its results are what they are.
TEST_F(SteerctlReproduce, ARunJsonThatIsMissingIsHeldAgainstNobody) {
  ASSERT_EQ(Run("again").exit_code, kExitOk);
  std::filesystem::remove(folder_ / "again/run.json");
  const ProcessResult result = Reproduce({"--against", folder_ / "again"});
  EXPECT_EQ(result.exit_code, kExitOk) << result.out;
  EXPECT_FALSE(absl::StrContains(result.out, "other: ")) << result.out;
}

TEST_F(SteerctlReproduce, AgainstTellsAReproductionFromAnotherRun) {
  ASSERT_EQ(Run("again").exit_code, kExitOk);
  ProcessResult result = Reproduce({"--against", folder_ / "again"});
  EXPECT_EQ(result.exit_code, kExitOk) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "reproduced, byte for byte")) << result.out;
  // A summary that was made to be equal does not help: what counts is the log.
  service_.behaviour.baseline_refusal = 0.6;
  ASSERT_EQ(Run("other").exit_code, kExitOk);
  std::filesystem::copy(folder_ / "out/summary.json", folder_ / "other/summary.json",
                        std::filesystem::copy_options::overwrite_existing);
  result = Reproduce({"--against", folder_ / "other", "--json"});
  EXPECT_EQ(result.exit_code, kExitInput);
  const auto json = ParseJson(result.out);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["against"]["reproduced"], false);
  EXPECT_FALSE((*json)["against"]["differing"].empty());
  EXPECT_TRUE(absl::StrContains(result.out, "other: summary.json"));
}

}  // namespace
}  // namespace steer
