// One run on two real servers: the same summary as on one; a server that is killed in the middle of
// a seed; servers that do not have the same numbers; none left.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "tests/integration/scenario.h"

namespace steer {
namespace {

using testing::HasSubstr;

class SeveralServers : public testing::Test {
 protected:
  // Slow servers, so that a seed lasts long enough to be caught in its middle. The second has the
  // checkpoint of the first and a store of its own.
  void Start(const std::string& second_decode_rows = "4") {
    ASSERT_TRUE(first_.StartServer({}, Flags("4"))) << first_.server_log();
    lock_ = first_.FreezeSmallPlan("spread", 12, 6, 8, "[0, 1]");
    ASSERT_FALSE(lock_.empty());
    CommandResult run = first_.Ctl(first_.RunArguments(lock_, first_.Path("clean")));
    ASSERT_EQ(run.end.exit_code, 0) << run.err;
    clean_ = Summary("clean");
    ASSERT_FALSE(clean_.empty());
    EXPECT_FALSE(std::filesystem::exists(first_.Path("clean/sets"))) << "one server keeps no sets";
    // The sets of the clean run are forgotten: what the first server has later, it was given.
    first_.StopServer();
    std::filesystem::remove_all(first_.Path("directions"));
    ASSERT_TRUE(first_.StartServer({}, Flags("4"))) << first_.server_log();
    ASSERT_TRUE(second_.StartServer({}, Flags(second_decode_rows))) << second_.server_log();
    first_.set_ctl_servers(absl::StrCat(first_.address(), ",", second_.address()));
  }

  static std::vector<std::string> Flags(const std::string& decode_rows) {
    return {"--threads", "1", "--decode-rows", decode_rows};
  }

  std::vector<std::string> RunSpread(const std::string& name) {
    std::vector<std::string> arguments = first_.RunArguments(lock_, first_.Path(name));
    for (const char* more : {"--move-after", "1"}) arguments.push_back(more);
    return arguments;
  }

  std::string Summary(const std::string& name) {
    return MustRead(first_.Path(name + "/summary.json"));
  }

  // The last session of run.json.
  Json Session(const std::string& name) {
    return MustReadJson(first_.Path(name + "/run.json"))["sessions"].back();
  }

  // Waits until each of both seeds has `cells` in the log, so that both servers are in the middle of
  // one.
  bool WaitForCells(const std::string& name, int cells) {
    for (absl::Time end = absl::Now() + absl::Minutes(1); absl::Now() < end;
         absl::SleepFor(absl::Milliseconds(5))) {
      auto log = ReadFile(first_.Path(name + "/cells.jsonl"));
      if (!log.ok()) continue;
      std::map<std::string, int> seen;
      for (absl::string_view line : absl::StrSplit(*log, '\n')) {
        for (const char* seed : {"seed-0", "seed-1"}) {
          if (absl::StrContains(line, absl::StrCat("\"key\":\"", seed, "/selection/")))
            ++seen[seed];
        }
      }
      if (seen["seed-0"] >= cells && seen["seed-1"] >= cells) return true;
    }
    return false;
  }

  Scenario first_{"default"};
  Scenario second_{"default"};
  std::string lock_;
  std::string clean_;
};

TEST_F(SeveralServers, TwoServersGiveTheSummaryOfOne) {
  ASSERT_NO_FATAL_FAILURE(Start());
  CommandResult run = first_.Ctl(RunSpread("both"));
  ASSERT_EQ(run.end.exit_code, 0) << run.err;
  EXPECT_TRUE(Summary("both") == clean_);
  Json session = Session("both");
  ASSERT_EQ(session["servers"].size(), 2u);
  for (const Json& server : session["servers"]) EXPECT_EQ(server["seeds"].size(), 1u) << server;
  EXPECT_TRUE(session["moves"].empty());
  // A set a seed is kept, whole or not at all.
  int sets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(first_.Path("both/sets"))) {
    EXPECT_EQ(entry.path().extension(), ".safetensors");
    ++sets;
  }
  EXPECT_EQ(sets, 2);
  // What is done is only reported, whichever servers are named.
  EXPECT_EQ(first_.Ctl(RunSpread("both")).end.exit_code, 0);
  EXPECT_TRUE(Summary("both") == clean_);
}

TEST_F(SeveralServers, AKilledServersSeedMovesWithItsSet) {
  ASSERT_NO_FATAL_FAILURE(Start());
  auto run = first_.StartCtl(RunSpread("killed"), "killed-run");
  ASSERT_TRUE(WaitForCells("killed", 2));
  second_.server().Signal(SIGKILL);
  ProcessEnd end = run->Wait(absl::Minutes(2));
  ASSERT_EQ(end.exit_code, 0) << MustRead(first_.Path("killed-run.err"));
  EXPECT_TRUE(Summary("killed") == clean_);
  Json session = Session("killed");
  ASSERT_EQ(session["moves"].size(), 1u) << session;
  EXPECT_EQ(session["moves"][0]["from"], second_.address());
  EXPECT_EQ(session["moves"][0]["to"], first_.address());
  EXPECT_EQ(session["moves"][0]["set_imported"], true);
  EXPECT_EQ(session["moves"][0]["anew"], false);
  EXPECT_EQ(session["servers"][1]["lost"], 1);
  // The first server fitted its own seed and no other: 12 prompts of each class.
  EXPECT_EQ(first_.Metric("steer_rows_total{kind=\"fit\"}"), 24);
}

TEST_F(SeveralServers, WithOtherNumbersTheSeedBeginsAnewAndTheSummarySaysSo) {
  ASSERT_NO_FATAL_FAILURE(Start("3"));
  auto run = first_.StartCtl(RunSpread("anew"), "anew-run");
  ASSERT_TRUE(WaitForCells("anew", 2));
  second_.server().Signal(SIGKILL);
  ProcessEnd end = run->Wait(absl::Minutes(2));
  const std::string said = MustRead(first_.Path("anew-run.err"));
  ASSERT_EQ(end.exit_code, 0) << said;
  EXPECT_THAT(said, HasSubstr("differ in numeric fingerprint"));
  EXPECT_THAT(said, HasSubstr("begins anew"));
  EXPECT_THAT(MustRead(first_.Path("anew-run.out")), HasSubstr("began anew"));
  EXPECT_THAT(MustRead(first_.Path("anew/report.html")), HasSubstr("began anew"));
  // Without the field that says so, it is the summary of the first server alone.
  Json summary = MustReadJson(first_.Path("anew/summary.json"));
  int restarts = 0;
  for (Json& seed : summary["seeds"]) {
    if (!seed.contains("began_anew")) continue;
    EXPECT_EQ(seed["began_anew"].size(), 1u);
    EXPECT_GE(seed["began_anew"][0]["abandoned_cells"], 2);
    EXPECT_NE(seed["began_anew"][0]["abandoned_numeric_fingerprint"],
              seed["fit"]["numeric_fingerprint"]);
    seed.erase("began_anew");
    ++restarts;
  }
  EXPECT_EQ(restarts, 1);
  EXPECT_TRUE(summary == *ParseJson(clean_));
  EXPECT_EQ(Session("anew")["moves"][0]["anew"], true);
  // A rebuild says the same.
  const std::string before = Summary("anew");
  EXPECT_EQ(first_.Ctl({"report", first_.Path("anew")}).end.exit_code, 0);
  EXPECT_TRUE(Summary("anew") == before);
}

TEST_F(SeveralServers, WithNoneLeftTheRunWaitsStopsAndGoesOnLater) {
  ASSERT_NO_FATAL_FAILURE(Start());
  std::vector<std::string> arguments = RunSpread("none");
  arguments.insert(arguments.end(), {"--patience", "3"});
  auto run = first_.StartCtl(arguments, "none-run");
  ASSERT_TRUE(WaitForCells("none", 2));
  const absl::Time killed = absl::Now();
  first_.server().Signal(SIGKILL);
  second_.server().Signal(SIGKILL);
  ProcessEnd end = run->Wait(absl::Minutes(1));
  EXPECT_EQ(end.exit_code, 4) << MustRead(first_.Path("none-run.err"));
  EXPECT_GE(absl::Now() - killed, absl::Seconds(2));
  EXPECT_THAT(MustRead(first_.Path("none-run.err")), HasSubstr("none of 2 servers"));
  first_.server().Wait(absl::Seconds(10));
  second_.server().Wait(absl::Seconds(10));
  ASSERT_TRUE(first_.StartServer({}, Flags("4"))) << first_.server_log();
  ASSERT_TRUE(second_.StartServer({}, Flags("4"))) << second_.server_log();
  CommandResult again = first_.Ctl(RunSpread("none"));
  ASSERT_EQ(again.end.exit_code, 0) << again.err;
  EXPECT_TRUE(Summary("none") == clean_);
}

}  // namespace
}  // namespace steer
