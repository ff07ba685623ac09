// Faults of the server's side: its process, its disk, its clock, its resources.
#include <errno.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "tests/faults/harness.h"

namespace steer {
namespace {

class ServerFaults : public FaultHarness {
 protected:
  // A new server with a fault and an empty store, so that the run has to write it; then a run, which may or may not get through; then a sound
  // server, with which it must.
  void Survives(const Environment& environment, std::initializer_list<int> codes) {
    scenario().StopServer();
    std::filesystem::remove_all(scenario().Path("directions"));
    ASSERT_TRUE(scenario().StartServer(environment)) << scenario().server_log();
    auto run = scenario().StartCtl(Run("run", {"--patience", "5"}), "faulty");
    const ProcessEnd end = run->Wait(absl::Minutes(1));
    EXPECT_TRUE(Among(end, codes)) << end.exit_code << ": " << CtlError("faulty");
    EXPECT_TRUE(scenario().server().running()) << "the server died of it";
    CheckLog();
    Restart();
    ExpectFinishes();
  }
  void TearDown() override {
    if (!scenario().server().running()) Restart();
    FaultHarness::TearDown();
  }
};

TEST_F(ServerFaults, Killed) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  scenario().server().Signal(SIGKILL);
  scenario().server().Wait(absl::Seconds(10));
  Restart();
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("run");
  ExpectFinishes();
}

TEST_F(ServerFaults, StoppedAndContinued) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  scenario().server().Signal(SIGSTOP);
  absl::SleepFor(absl::Seconds(1));
  scenario().server().Signal(SIGCONT);
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("run");
  ExpectFinishes();
}

TEST_F(ServerFaults, Terminated) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  EXPECT_EQ(scenario().StopServer().exit_code, 0);
  Restart();
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("run");
  ExpectFinishes();
}

TEST_F(ServerFaults, KilledTwice) {
  auto run = scenario().StartCtl(Run(), "run");
  for (int i = 0; i < 2; ++i) {
    absl::SleepFor(Moment() / 2);
    scenario().server().Signal(SIGKILL);
    scenario().server().Wait(absl::Seconds(10));
    Restart();
  }
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("run");
  ExpectFinishes();
}

TEST_F(ServerFaults, BothKilled) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  run->Signal(SIGKILL);
  scenario().server().Signal(SIGKILL);
  run->Wait(absl::Seconds(10));
  scenario().server().Wait(absl::Seconds(10));
  CheckLog();
  Restart();
  ExpectFinishes();
}

TEST_F(ServerFaults, StoreIsFull) {
  Survives(Shim(absl::StrCat("call=write,path=directions/,errno=", ENOSPC)),
           {kExitServer, kExitIncomplete, kExitUnreachable});
}

TEST_F(ServerFaults, StoreIsFullForAMoment) {
  Survives(Shim(absl::StrCat("call=write,path=directions/,times=1,errno=", ENOSPC)),
           {kExitOk, kExitServer, kExitIncomplete});
}

TEST_F(ServerFaults, StoreWritesAreShort) {
  Survives(Shim("call=write,path=directions/,short=1"), {kExitOk});
}

TEST_F(ServerFaults, StoreCannotSync) {
  Survives(Shim(absl::StrCat("call=fsync,path=directions,times=1,errno=", EIO)),
           {kExitOk, kExitServer, kExitIncomplete});
}

TEST_F(ServerFaults, StoreCannotRename) {
  Survives(Shim(absl::StrCat("call=rename,path=directions/,times=1,errno=", EIO)),
           {kExitOk, kExitServer, kExitIncomplete});
}

TEST_F(ServerFaults, NoFileDescriptorsForConnections) {
  Survives(Shim(absl::StrCat("call=accept,times=20,errno=", EMFILE)), {kExitOk, kExitUnreachable});
}

TEST_F(ServerFaults, ClockJumpsForward) {
  Survives(Shim(absl::StrCat("call=clock,seconds=3600,after=",
                             1000 + absl::ToInt64Milliseconds(Moment()))),
           {kExitOk, kExitUnreachable, kExitIncomplete});
}

TEST_F(ServerFaults, ClockJumpsBack) {
  Survives(Shim(absl::StrCat("call=clock,seconds=-3600,after=",
                             1000 + absl::ToInt64Milliseconds(Moment()))),
           {kExitOk, kExitUnreachable, kExitIncomplete});
}

}  // namespace
}  // namespace steer
