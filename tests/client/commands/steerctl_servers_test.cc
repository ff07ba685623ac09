// The program with a list of servers, against two fake services.
#include <signal.h>

#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands/exit_code.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

class TwoServers : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path());
    service_.Start();
    other_.Start();
    both_ = absl::StrCat(service_.address(), ",", other_.address());
  }
  ProcessResult Call(std::vector<std::string> arguments, const std::string& servers,
                     const ProcessOptions& options = {}) {
    arguments.insert(arguments.end(), {"--server", servers, "--patience", "20"});
    return RunSteerctl(arguments, options);
  }
  ProcessResult RunInto(const std::string& output, const std::string& servers,
                        const ProcessOptions& options = {}) {
    return Call({"run", folder_ / "plan.lock.json", "--output", folder_ / output}, servers,
                options);
  }
  std::map<std::string, std::string> Results(const std::string& output) {
    std::map<std::string, std::string> files;
    for (const char* name : {"summary.json", "verdict.json", "figure.svg", "report.html"}) {
      files[name] = ReadAll(folder_ / output + "/" + name);
      EXPECT_FALSE(files[name].empty()) << output << "/" << name;
    }
    return files;
  }
  TemporaryFolder folder_;
  FakeService service_;
  FakeService other_;
  std::string both_;
};

TEST_F(TwoServers, PlanCheckSaysWhatTheyTakeTogether) {
  ProcessResult one = Call({"plan", "check", folder_ / "plan.yaml", "--json"}, service_.address());
  ASSERT_EQ(one.exit_code, kExitOk) << one.err;
  ProcessResult two = Call({"plan", "check", folder_ / "plan.yaml", "--json"}, both_);
  ASSERT_EQ(two.exit_code, kExitOk) << two.err;
  Json alone = (*ParseJson(one.out))["work"], spread = (*ParseJson(two.out))["work"];
  EXPECT_FALSE(alone.contains("servers"));
  EXPECT_EQ(spread["servers"], 2);
  // Two seeds, one on each.
  EXPECT_DOUBLE_EQ(spread["spread_seconds"].get<double>(), alone["seconds"].get<double>() / 2);
  EXPECT_TRUE(
      absl::StrContains(Call({"plan", "check", folder_ / "plan.yaml"}, both_).out, "on 2 servers"));
  other_.behaviour.numeric_fingerprint = std::string(64, 'c');
  EXPECT_TRUE(absl::StrContains(Call({"plan", "check", folder_ / "plan.yaml"}, both_).out,
                                "differ in numeric fingerprint"));
  other_.behaviour.model_fingerprint = std::string(64, 'e');
  EXPECT_EQ(Call({"plan", "check", folder_ / "plan.yaml"}, both_).exit_code, kExitInput);
}

TEST_F(TwoServers, DoctorExaminesEachAndBothTogether) {
  ProcessResult good = Call({"doctor", "--output", folder_.path()}, both_);
  EXPECT_EQ(good.exit_code, kExitOk) << good.out << good.err;
  EXPECT_TRUE(absl::StrContains(good.out, "one numeric fingerprint")) << good.out;
  other_.behaviour.numeric_fingerprint = std::string(64, 'c');
  EXPECT_TRUE(absl::StrContains(Call({"doctor"}, both_).out, "2 numeric fingerprints"));
  other_.behaviour.model_fingerprint = std::string(64, 'e');
  ProcessResult mixed = Call({"doctor"}, both_);
  EXPECT_EQ(mixed.exit_code, kExitServer) << mixed.out;
  EXPECT_TRUE(absl::StrContains(mixed.out, "2 different models")) << mixed.out;
  other_.Stop();
  ProcessResult away = RunSteerctl({"doctor", "--server", both_, "--patience", "0.3"});
  EXPECT_EQ(away.exit_code, kExitUnreachable);
  EXPECT_TRUE(absl::StrContains(away.out, other_.address())) << away.out;
}

TEST_F(TwoServers, CommandsOfOneServerRefuseAList) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"model"}, {"directions", "list"}}) {
    ProcessResult result = Call(words, both_);
    EXPECT_EQ(result.exit_code, kExitUsage) << words[0];
    EXPECT_TRUE(absl::StrContains(result.err, "several servers")) << result.err;
  }
  ASSERT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml"}, both_).exit_code, kExitOk);
  for (const std::string& list :
       {absl::StrCat(service_.address(), ",", service_.address()),
        absl::StrCat(service_.address(), ","), absl::StrCat(service_.address(), ",nonsense")}) {
    EXPECT_EQ(RunInto("out", list).exit_code, kExitUsage) << list;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out")) << list;
  }
}

TEST_F(TwoServers, ARunIsWhatItIsOnOneAndKeepsItsClocksInRunJson) {
  ASSERT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml"}, both_).exit_code, kExitOk);
  ASSERT_EQ(RunInto("one", service_.address()).exit_code, kExitOk);
  const auto expected = Results("one");
  service_.behaviour.row_milliseconds = 2;
  other_.behaviour.row_milliseconds = 2;
  ProcessResult run = RunInto("two", both_);
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_TRUE(Results("two") == expected);
  EXPECT_FALSE(absl::StrContains(run.err, kCanary));
  Json one = (*ReadJsonFile(folder_ / "one/run.json"))["sessions"][0];
  Json two = (*ReadJsonFile(folder_ / "two/run.json"))["sessions"][0];
  EXPECT_TRUE(one.contains("server"));
  EXPECT_FALSE(one.contains("servers"));
  ASSERT_EQ(two["servers"].size(), 2u);
  EXPECT_EQ(two["servers"][0]["server"], service_.address());
  EXPECT_EQ(two["servers"][0]["model"]["numeric_fingerprint"],
            service_.behaviour.numeric_fingerprint);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "two")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_FALSE(absl::StrContains(ReadAll(entry.path().string()), kCanary)) << entry.path();
  }
}

TEST_F(TwoServers, KilledAtTheDurableStepsEndsInTheSameBytes) {
  ASSERT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml"}, both_).exit_code, kExitOk);
  ASSERT_EQ(RunInto("one", service_.address()).exit_code, kExitOk);
  const auto expected = Results("one");
  int number = 0;
  for (const char* point : {"run.set.before_rename=kill@1", "run.set.after_rename=kill@2",
                            "run.log.mid_append=kill@3", "run.log.after_append=kill@20"}) {
    SCOPED_TRACE(point);
    const std::string output = absl::StrCat("killed-", ++number);
    ProcessOptions options;
    options.failpoints = point;
    EXPECT_EQ(RunInto(output, both_, options).signal, SIGKILL);
    ProcessResult again = RunInto(output, both_);
    EXPECT_EQ(again.exit_code, kExitOk) << again.err;
    EXPECT_TRUE(Results(output) == expected);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / output)) {
      EXPECT_FALSE(absl::StrContains(entry.path().string(), ".tmp.")) << entry.path();
    }
  }
}

TEST_F(TwoServers, TheFirstSignalStopsBothAfterTheirCells) {
  ASSERT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml"}, both_).exit_code, kExitOk);
  ASSERT_EQ(RunInto("one", service_.address()).exit_code, kExitOk);
  const auto expected = Results("one");
  service_.behaviour.row_milliseconds = 40;
  other_.behaviour.row_milliseconds = 40;
  ProcessOptions options;
  options.signal_after = 2;
  options.signal_sent = SIGINT;
  EXPECT_EQ(RunInto("out", both_, options).exit_code, kExitInterrupted);
  service_.behaviour.row_milliseconds = 0;
  other_.behaviour.row_milliseconds = 0;
  ASSERT_EQ(RunInto("out", both_).exit_code, kExitOk);
  EXPECT_TRUE(Results("out") == expected);
}

}  // namespace
}  // namespace steer
