// The server's metrics page after a run of each kind of work: what deploy/metrics.md promises and no
// more, with counts that agree with the run's files.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/json.h"
#include "tests/integration/scenario.h"
#include "tests/support/metrics_table.h"

namespace steer {
namespace {

using testing::HasSubstr;

class MetricsPage : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(scenario_.StartServer({}, {"--decode-rows", "8"})) << scenario_.server_log();
  }
  // Sum over the series of a family whose labels hold each of `parts`.
  double Sum(const std::string& family, const std::vector<std::string>& parts) {
    double sum = 0;
    for (absl::string_view line : absl::StrSplit(scenario_.MetricsPage(), '\n')) {
      bool matches = absl::StartsWith(line, family + "{");
      for (const std::string& part : parts) matches = matches && absl::StrContains(line, part);
      double value = 0;
      if (matches && absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value)) sum += value;
    }
    return sum;
  }
  Scenario scenario_{"default"};
};

TEST_F(MetricsPage, IsWhatTheDocumentSaysAndCountsWhatTheRunWrote) {
  const std::string lock = scenario_.FreezeSmallPlan("counted");
  ASSERT_FALSE(lock.empty());
  const CommandResult run = scenario_.Ctl(scenario_.RunArguments(lock, scenario_.Path("run")));
  ASSERT_EQ(run.end.exit_code, 0) << run.err;
  ASSERT_EQ(
      scenario_.Ctl({"generate", "--prompt", "a word", "--max-new-tokens", "4"}).end.exit_code, 0);

  const std::string page = scenario_.MetricsPage();
  EXPECT_EQ(Differences(DocumentedMetrics({"Server", "Both programs"}), MetricsOfPage(page)), "");

  // What the page counted is what the run's files hold, by kind of arm and of direction.
  struct Count {
    double rows = 0, refused = 0, edits = 0;
  };
  std::map<std::string, Count> written;
  for (absl::string_view line :
       absl::StrSplit(MustRead(scenario_.Path("run/cells.jsonl")), '\n', absl::SkipEmpty())) {
    const auto record = ParseJson(line);
    ASSERT_TRUE(record.ok());
    const Json& cell = record->contains("payload") ? (*record)["payload"] : *record;
    if (cell.value("kind", "") != "cell") continue;
    const std::string edit = cell["edit"];
    const char* direction = edit == "none"                   ? "none"
                            : cell["control_draw"].is_null() ? "fitted"
                                                             : "control";
    Count& count = written[absl::StrCat("arm_kind=\"", edit, "\",direction=\"", direction, "\"")];
    const std::string refused = cell["rows"]["refused"];
    count.rows += static_cast<double>(refused.size());
    count.refused += static_cast<double>(std::count(refused.begin(), refused.end(), 'R'));
    count.edits += cell["receipt"]["edits"].get<double>();
  }
  ASSERT_EQ(written.size(), 5u);
  for (const auto& [labels, count] : written) {
    SCOPED_TRACE(labels);
    EXPECT_EQ(Sum("steer_outcomes_total", {labels}), count.rows);
    EXPECT_EQ(Sum("steer_outcomes_total", {labels, "refused=\"yes\""}), count.refused);
    EXPECT_EQ(Sum("steer_edits_total", {labels}), count.edits);
    EXPECT_EQ(Sum("steer_edited_rows_total", {labels}), count.edits > 0 ? count.rows : 0);
  }
  EXPECT_EQ(Sum("steer_time_to_first_token_seconds_count", {"arm_kind=\"none\""}), 1);
  EXPECT_EQ(Sum("steer_fits_total", {"fitted"}), 1);
}

TEST_F(MetricsPage, PassesPromtool) {
  if (std::system("command -v promtool > /dev/null") != 0) GTEST_SKIP() << "promtool is not here";
  const std::string path = scenario_.Path("page");
  ASSERT_TRUE(WriteFileAtomically(path, scenario_.MetricsPage()).ok());
  EXPECT_EQ(std::system(("promtool check metrics < " + path + " > " + path + ".said 2>&1").c_str()),
            0)
      << MustRead(path + ".said");
}

}  // namespace
}  // namespace steer
