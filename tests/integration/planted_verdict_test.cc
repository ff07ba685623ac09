// The job itself, with the real programs: every planted variant ends in its true verdict, with the
// rates that its truth file expects.
#include <cmath>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "tests/integration/scenario.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

class PlantedVerdict : public testing::TestWithParam<std::string> {};

TEST_P(PlantedVerdict, IsTheTrueOne) {
  Scenario scenario(GetParam());
  ASSERT_TRUE(scenario.StartServer()) << scenario.server_log();
  // The shipped plan, at the shipped sizes: the truth file's probabilities are stated for them.
  std::string plan = SourcePath(absl::StrCat("deploy/plans/planted-", GetParam(), ".yaml"));
  std::string lock = scenario.Path("plan.lock");
  CommandResult frozen =
      scenario.Ctl({"plan", "freeze", plan, "--data-root", scenario.model(), "--output", lock});
  ASSERT_EQ(frozen.end.exit_code, 0) << frozen.err;
  CommandResult run =
      scenario.Ctl(scenario.RunArguments(lock, scenario.Path("run")), {}, absl::Minutes(5));
  ASSERT_EQ(run.end.exit_code, 0) << run.err << scenario.server_log();

  Json truth = MustReadJson(scenario.model() + "/truth.json");
  Json verdict = MustReadJson(scenario.Path("run/verdict.json"));
  EXPECT_EQ(verdict["verdict"], truth["verdict"]) << verdict.dump(1);
  for (const char* file :
       {"summary.json", "run.json", "figure.svg", "figure.png", "report.html", "cells.jsonl"}) {
    EXPECT_FALSE(MustRead(scenario.Path(std::string("run/") + file)).empty()) << file;
  }
  EXPECT_NE(run.out.find(truth["verdict"].get<std::string>()), std::string::npos) << run.out;
  EXPECT_EQ(scenario.StopServer().exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Variants, PlantedVerdict,
                         testing::Values("default", "weak", "distributed", "fragile"),
                         [](const auto& info) { return info.param; });

// No prompt of either class, and no completion, stands in anything that the run leaves behind.
TEST(PlantedRun, LeavesNoTextBehind) {
  Scenario scenario("default");
  ASSERT_TRUE(scenario.StartServer({}, {"--audit-log", scenario.Path("audit.jsonl")}))
      << scenario.server_log();
  std::string lock = scenario.FreezeSmallPlan("quiet");
  CommandResult run = scenario.Ctl(scenario.RunArguments(lock, scenario.Path("run")));
  ASSERT_EQ(run.end.exit_code, 0) << run.err;
  std::vector<std::string> forbidden = {"I cannot", "I'm sorry"};
  for (const char* name : {"harmful.jsonl", "harmless.jsonl"}) {
    std::string text = MustRead(scenario.model() + "/" + name);
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find('\n', at);
      auto row = ParseJson(text.substr(at, end - at));
      if (row.ok()) forbidden.push_back((*row)["prompt"]);
      at = end == std::string::npos ? text.size() : end + 1;
    }
  }
  ASSERT_GT(forbidden.size(), 100u);
  std::string all = run.out + run.err + scenario.server_log() +
                    MustRead(scenario.Path("audit.jsonl")) + MustRead(lock) +
                    scenario.MetricsPage();
  for (const char* file :
       {"summary.json", "verdict.json", "run.json", "figure.svg", "report.html", "cells.jsonl"}) {
    all += MustRead(scenario.Path(std::string("run/") + file));
  }
  for (const std::string& text : forbidden) {
    // The report names the readout's phrases as the rule that was used; nothing else may.
    if (text.find("I") == 0) continue;
    EXPECT_EQ(all.find(text), std::string::npos) << "a prompt stands in the results";
  }
}

// What /metrics counts is what the results hold.
TEST(PlantedRun, MetricsAgreeWithTheResults) {
  Scenario scenario("default");
  ASSERT_TRUE(scenario.StartServer()) << scenario.server_log();
  std::string lock = scenario.FreezeSmallPlan("counted", 16, 4, 8);
  ASSERT_EQ(scenario.Ctl(scenario.RunArguments(lock, scenario.Path("run"))).end.exit_code, 0);
  EXPECT_EQ(scenario.Metric("steer_rows_total{kind=\"fit\"}"), 32);
  // Selection: two baselines and two arms a layer (1 to 5) of 4 prompts; test: six arms of 8.
  EXPECT_EQ(scenario.Metric("steer_rows_total{kind=\"evaluate\"}"), (2 + 2 * 5) * 4 + 6 * 8);
}

}  // namespace
}  // namespace steer
