// Contract 11: after kill -9 of either side at any point, a resumed run ends in the same summary,
// byte for byte, as one never stopped.
#include <signal.h>
#include <stdlib.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/scenario.h"

namespace steer {
namespace {

// Moments at which each side is killed; the longer tier sets more.
int Moments() {
  const char* text = getenv("STEER_KILL_MOMENTS");
  int moments = 0;
  return text != nullptr && absl::SimpleAtoi(text, &moments) && moments > 0 ? moments : 20;
}

struct Outputs {
  std::string summary, verdict;
  friend bool operator==(const Outputs&, const Outputs&) = default;
};

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    scenario_ = std::make_unique<Scenario>("default");
    ASSERT_TRUE(scenario_->StartServer()) << scenario_->server_log();
    lock_ = scenario_->FreezeSmallPlan("small", 12, 4, 6, "[0, 1]");
    ASSERT_FALSE(lock_.empty());
    absl::Time start = absl::Now();
    CommandResult run = scenario_->Ctl(scenario_->RunArguments(lock_, scenario_->Path("clean")));
    took_ = absl::Now() - start;
    ASSERT_EQ(run.end.exit_code, 0) << run.err;
    clean_ = Read("clean");
    ASSERT_FALSE(clean_.summary.empty());
  }

  Outputs Read(const std::string& name) {
    return {MustRead(scenario_->Path(name + "/summary.json")),
            MustRead(scenario_->Path(name + "/verdict.json"))};
  }

  // The store of a fresh server would make every run the first one; here fits are cached, as they
  // would be for a user.
  void ExpectFinishes(const std::string& name) {
    CommandResult again = scenario_->Ctl(scenario_->RunArguments(lock_, scenario_->Path(name)));
    ASSERT_EQ(again.end.exit_code, 0) << again.err;
    EXPECT_TRUE(Read(name) == clean_) << name;
  }

  std::unique_ptr<Scenario> scenario_;
  std::string lock_;
  absl::Duration took_;
  Outputs clean_;
};

TEST_F(Resume, AFinishedRunIsOnlyReported) {
  auto steps = scenario_->Metric("steer_rows_total{kind=\"evaluate\"}");
  ExpectFinishes("clean");
  EXPECT_EQ(scenario_->Metric("steer_rows_total{kind=\"evaluate\"}"), steps);
}

TEST_F(Resume, ClientKilledAtManyMoments) {
  const int moments = Moments();
  for (int i = 0; i < moments; ++i) {
    std::string name = absl::StrCat("client-", i);
    auto process = scenario_->StartCtl(scenario_->RunArguments(lock_, scenario_->Path(name)), name);
    absl::SleepFor(took_ * (i + 0.5) / moments);
    process->Signal(SIGKILL);
    process->Wait(absl::Seconds(10));
    ExpectFinishes(name);
  }
}

TEST_F(Resume, ServerKilledAtManyMoments) {
  const int moments = Moments();
  for (int i = 0; i < moments; ++i) {
    std::string name = absl::StrCat("server-", i);
    auto process = scenario_->StartCtl(scenario_->RunArguments(lock_, scenario_->Path(name)), name);
    absl::SleepFor(took_ * (i + 0.5) / moments);
    scenario_->server().Signal(SIGKILL);
    scenario_->server().Wait(absl::Seconds(10));
    ASSERT_TRUE(scenario_->StartServer()) << scenario_->server_log();
    process->Wait(absl::Minutes(
        2));  // it may have waited for the server and finished, or given up: both are fine
    ExpectFinishes(name);
  }
}

// Every durable step of the client, at each of its first passes.
TEST_F(Resume, ClientKilledAtEveryDurableStep) {
  for (const char* point :
       {"run.log.before_append", "run.log.after_append", "run.summary.before_rename",
        "run.summary.after_rename", "run.verdict.before_rename", "run.verdict.after_rename"}) {
    int passes = 0;
    for (int pass = 1; pass <= 40; ++pass) {
      std::string name = absl::StrCat(point, "-", pass);
      auto process =
          scenario_->StartCtl(scenario_->RunArguments(lock_, scenario_->Path(name)), name,
                              {{"STEER_FAILPOINTS", absl::StrCat(point, "=kill@", pass)}});
      ProcessEnd end = process->Wait(absl::Minutes(2));
      if (end.signal != SIGKILL) {
        EXPECT_EQ(end.exit_code, 0);
        break;  // the run has fewer passes
      }
      ++passes;
      ExpectFinishes(name);
      // All passes of the log would take long; the first ones, and then every fifth, see every kind
      // of record.
      if (pass >= 4) pass += 4;
    }
    EXPECT_GT(passes, 0) << point << " was never reached";
  }
}

// Every durable step of the server: the direction store and its ledger.
TEST_F(Resume, ServerKilledAtEveryDurableStep) {
  for (const char* point : {"store.put.before_rename", "store.put.after_rename",
                            "store.ledger.before_write", "store.ledger.after_write"}) {
    scenario_->StopServer();
    std::filesystem::remove_all(
        scenario_->Path("directions"));  // so that the run has to write again
    ASSERT_TRUE(scenario_->StartServer({{"STEER_FAILPOINTS", absl::StrCat(point, "=kill@1")}}))
        << scenario_->server_log();
    std::string name = point;
    auto process = scenario_->StartCtl(scenario_->RunArguments(lock_, scenario_->Path(name)), name);
    ProcessEnd server = scenario_->server().Wait(absl::Minutes(1));
    EXPECT_EQ(server.signal, SIGKILL) << point << " was never reached";
    ASSERT_TRUE(scenario_->StartServer()) << scenario_->server_log();
    process->Wait(absl::Minutes(2));
    ExpectFinishes(name);
  }
}

}  // namespace
}  // namespace steer
