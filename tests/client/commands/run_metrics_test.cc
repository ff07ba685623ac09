#include "client/commands/run_metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

std::string Page() {
  Lock lock;
  lock.digest = std::string(64, 'd');
  lock.plan.name = "plan \"one\"";
  lock.plan.model_name = "org/model";
  SeedSummary seed;
  seed.seed = 3;
  ArmSummary arm;
  arm.arm = {"ablate/harmful", PromptClass::kHarmful, EditKind::kAblate, -1, absl::nullopt};
  arm.refusals = {4, 32};
  arm.wilson = WilsonInterval(4, 32);
  seed.test_arms = {arm};
  seed.decision.verdict = Verdict::kNotSingleDirection;
  seed.decision.margins = {{"suppression", {1, 4}, kEffectMargin, false}};
  Summary summary;
  summary.seeds = {seed};
  summary.overall = Verdict::kNotSingleDirection;
  RunProgressFacts progress;
  progress.cells = 18;
  progress.done_cells = 10;
  progress.failed_cells = 1;
  progress.rows = 180;
  progress.done_rows = 90;
  progress.seconds_left = 12.5;
  return RenderRunMetrics(lock, summary, progress);
}

TEST(RunMetrics, CarriesCountsMarginsAndVerdict) {
  std::string page = Page();
  for (const char* line : {
           "steer_experiment_cells{state=\"pending\"} 7\n",
           "steer_experiment_progress_ratio 0.5\n",
           "steer_experiment_left_seconds 12.5\n",
           "steer_experiment_refused_prompts{seed=\"3\",arm=\"ablate/"
           "harmful\",prompts=\"harmful\"} 4\n",
           "steer_experiment_margin_ratio{seed=\"3\",margin=\"suppression\"} 0.25\n",
           "steer_experiment_verdict{seed=\"all\",verdict=\"NOT-SINGLE-DIRECTION\"} 1\n",
           "steer_experiment_verdict{seed=\"3\",verdict=\"INCOMPLETE\"} 0\n",
           "steer_experiment_state{state=\"running\"} 1\n",
       }) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line << page;
  }
  EXPECT_TRUE(absl::StrContains(page, "plan=\"plan \\\"one\\\"\""));
}

TEST(RunMetrics, PassPromtool) {
  if (access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "promtool is not installed";
  TemporaryFolder folder;
  WriteAll(folder / "page", Page());
  std::string command = absl::StrCat("/usr/bin/promtool check metrics < ", folder / "page", " > ",
                                     folder / "said", " 2>&1");
  EXPECT_EQ(system(command.c_str()), 0) << ReadAll(folder / "said");
  EXPECT_EQ(ReadAll(folder / "said"), "");
}

}  // namespace
}  // namespace steer
