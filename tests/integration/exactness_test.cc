// Contract 9: a skipped site, row or step, or a swapped direction, makes the call fail and the cell
// with it; no wrong number is ever written.
#include <filesystem>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/integration/scenario.h"

namespace steer {
namespace {

class SkippedWork : public testing::TestWithParam<std::string> {};

TEST_P(SkippedWork, FailsTheCallAndLeavesNoVerdict) {
  Scenario scenario("default");
  ASSERT_TRUE(scenario.StartServer()) << scenario.server_log();
  std::string lock = scenario.FreezeSmallPlan("small", 12, 4, 6);
  scenario.StopServer();
  ASSERT_TRUE(scenario.StartServer({{"STEER_FAILPOINTS", GetParam()}})) << scenario.server_log();
  CommandResult run = scenario.Ctl(scenario.RunArguments(lock, scenario.Path("run")));
  EXPECT_NE(run.end.exit_code, 0) << run.out;
  EXPECT_FALSE(run.end.timed_out);
  EXPECT_EQ(run.end.signal, 0);
  EXPECT_TRUE(run.err.find("EDIT_COUNT_MISMATCH") != std::string::npos ||
              run.err.find("DIRECTION_DIGEST_MISMATCH") != std::string::npos ||
              run.err.find("CAPTURE_COUNT_MISMATCH") != std::string::npos ||
              run.err.find("WRONG_RECEIPT") != std::string::npos)
      << run.err;
  if (std::filesystem::exists(scenario.Path("run/verdict.json"))) {
    EXPECT_EQ(MustReadJson(scenario.Path("run/verdict.json"))["verdict"], "INCOMPLETE");
  }
  // A sound server then finishes the same run.
  scenario.StopServer();
  ASSERT_TRUE(scenario.StartServer()) << scenario.server_log();
  CommandResult again = scenario.Ctl(scenario.RunArguments(lock, scenario.Path("run")));
  EXPECT_EQ(again.end.exit_code, 0) << again.err;
}

INSTANTIATE_TEST_SUITE_P(Failpoints, SkippedWork,
                         testing::Values("edit.skip_site=skip@40", "edit.skip_row=skip@40",
                                         "engine.skip_step_edits=skip@20", "edit.swap_direction=skip@3"),
                         [](const auto& info) {
                           std::string name = info.param.substr(0, info.param.find('='));
                           for (char& c : name) {
                             if (c == '.') c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace steer
