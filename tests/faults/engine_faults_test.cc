// Faults inside of the server: memory, the device, numbers that are none, a step that never ends. They are made by the failpoints of
// common/failpoint.h, which a server heeds only if it is started with --failpoints.
#include <signal.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "tests/faults/harness.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

class EngineFaults : public FaultHarness {
 protected:
  // A server that fails at `points`, and an empty store, so that sets are fitted again.
  void Serve(const std::string& points, const std::vector<std::string>& flags = {}) {
    if (scenario().server().running()) scenario().StopServer();
    std::filesystem::remove_all(scenario().Path("directions"));
    audit_begin_ = MustRead(scenario().Path("audit.jsonl")).size();
    ASSERT_TRUE(scenario().StartServer({{"STEER_FAILPOINTS", points}}, flags))
        << scenario().server_log();
  }
  // Numbers that are not finite, once: the call fails with its reason and is counted, the client asks again and gets what is right, and no
  // result is touched by it.
  void IsTypedCountedAndMadeGood(const std::string& point, const std::string& where,
                                 const std::string& reason) {
    Serve(point);
    auto run = scenario().StartCtl(Run(), "run");
    EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("run");
    EXPECT_EQ(Failed(reason), 1);
    EXPECT_EQ(scenario().Metric(absl::StrCat("steer_nonfinite_total{where=\"", where, "\"}")), 1);
    EXPECT_EQ(scenario().Metric("steer_ready"), 1);
    EXPECT_EQ(Answer(), clean_answer());
    ExpectCountsOfTheAuditLog();
    ExpectFinishes();
  }
  // Calls of this server that ended with `reason`, by its audit log.
  static int Failed(const std::string& reason) {
    const std::string audit = MustRead(scenario().Path("audit.jsonl")).substr(audit_begin_);
    int count = 0;
    for (absl::string_view line : absl::StrSplit(audit, '\n'))
      count += absl::StrContains(line,
                                 absl::StrCat("\"code\":\"Internal\",\"reason\":\"", reason, "\""));
    return count;
  }
  // Steps that find no memory run in parts, and no number is another for it.
  void ChangesNothing(const std::string& point, const std::string& counter) {
    Serve(point);
    auto run = scenario().StartCtl(Run(), "run");
    EXPECT_EQ(run->Wait(absl::Minutes(2)).exit_code, kExitOk) << CtlError("run");
    EXPECT_NE(scenario().Metric(counter), 0);
    EXPECT_EQ(Answer(), clean_answer());
    ExpectFinishes();
  }
  static bool Healthy() {
    return Process({BuildPath("server/steerd"), "--healthcheck", "--listen", scenario().address()},
                   {}, scenario().Path("health.out"), scenario().Path("health.err"))
               .Wait(absl::Seconds(30))
               .exit_code == 0;
  }
  void TearDown() override {
    // One that fails on purpose answers no other test.
    Restart();
    FaultHarness::TearDown();
  }
  static size_t audit_begin_;
};

size_t EngineFaults::audit_begin_ = 0;

TEST_F(EngineFaults, LogitsAreNotFinite) {
  // The first ones are those of the server's own rows before it serves.
  IsTypedCountedAndMadeGood(absl::StrCat("engine.nan_logits=skip@", 4 + Pass(steps() / 3)),
                            "logits", "NON_FINITE_LOGITS");
}

TEST_F(EngineFaults, StatesAreNotFinite) {
  IsTypedCountedAndMadeGood(absl::StrCat("engine.nan_state=skip@", Pass(40)), "states",
                            "NON_FINITE_STATES");
}

// Each time: the run says so, is incomplete, and logs the failure and no number.
TEST_F(EngineFaults, StatesAreNeverFinite) {
  Serve("engine.nan_state=skip");
  auto run = scenario().StartCtl(Run(), "run");
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitIncomplete) << CtlError("run");
  EXPECT_GT(Failed("NON_FINITE_STATES"), 0);
  EXPECT_EQ(scenario().Metric("steer_nonfinite_total{where=\"states\"}"),
            Failed("NON_FINITE_STATES"));
  EXPECT_EQ(CheckLog(), 0) << "something was measured";
  EXPECT_TRUE(absl::StrContains(MustRead(Folder() + "/cells.jsonl"), "NON_FINITE_STATES"));
  EXPECT_TRUE(absl::StrContains(MustRead(Folder() + "/verdict.json"), "INCOMPLETE"));
  Restart();
  ExpectFinishes();
}

TEST_F(EngineFaults, DeviceMemoryIsShort) {
  ChangesNothing("engine.step_oom=skip", "steer_out_of_memory_total");
}

TEST_F(EngineFaults, HostMemoryIsShort) {
  ChangesNothing("engine.host_oom=skip", "steer_out_of_memory_total");
}

TEST_F(EngineFaults, DeviceIsLost) {
  Serve(absl::StrCat("engine.device_error=skip@", 4 + Pass(steps() / 2)));
  auto run = scenario().StartCtl(Run(), "run");
  EXPECT_EQ(scenario().server().Wait(absl::Minutes(1)).exit_code, 70);
  EXPECT_TRUE(run->running()) << CtlError("run");
  CheckLog();
  Restart();
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("run");
  ExpectFinishes();
}

TEST_F(EngineFaults, AStepNeverEnds) {
  // Readiness and liveness read the engine's heartbeat, whose limit is a second here.
  Serve(absl::StrCat("engine.hang=skip@", 4 + Pass(steps() / 2)),
        {"--stale-seconds", "1", "--drain-seconds", "1"});
  EXPECT_TRUE(Healthy());
  auto run = scenario().StartCtl(Run("run", {"--stall-timeout", "2", "--patience", "90"}), "run");
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (scenario().Metric("steer_ready") != 0 && absl::Now() < end)
    absl::SleepFor(absl::Milliseconds(20));
  const double age = absl::ToUnixSeconds(absl::Now()) -
                     scenario().Metric("steer_engine_heartbeat_timestamp_seconds");
  EXPECT_LT(age, 20) << "the limit and 5 s, on a busy machine";
  EXPECT_EQ(scenario().Metric("steer_ready"), 0);
  EXPECT_FALSE(Healthy());
  EXPECT_TRUE(absl::StrContains(scenario().server_log(), "has not finished a step"));
  EXPECT_TRUE(scenario().server().running());
  // Nothing that it is asked ends any more, so a polite end has a limit as well.
  scenario().server().Signal(SIGTERM);
  EXPECT_EQ(scenario().server().Wait(absl::Minutes(1)).exit_code, 70) << scenario().server_log();
  EXPECT_TRUE(absl::StrContains(scenario().server_log(), "ending without it"));
  CheckLog();
  Restart();
  EXPECT_EQ(run->Wait(absl::Minutes(2)).exit_code, kExitOk) << CtlError("run");
  ExpectFinishes();
}

}  // namespace
}  // namespace steer
