// Faults of the client's side: its process, its disk, its clock, its resources.
#include <errno.h>
#include <signal.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "tests/faults/harness.h"

namespace steer {
namespace {

class ClientFaults : public FaultHarness {
 protected:
  // A run under a fault of the C library that must end with `code`, leave a whole log or one that is cut at its end, and go on afterwards.
  void EndsWith(const std::string& shim, int code, const std::string& said) {
    auto run = scenario().StartCtl(Run(), "shimmed", Shim(shim));
    const ProcessEnd end = run->Wait(absl::Minutes(1));
    EXPECT_EQ(end.exit_code, code) << CtlError("shimmed");
    EXPECT_FALSE(end.timed_out);
    EXPECT_TRUE(absl::StrContains(CtlError("shimmed"), said)) << CtlError("shimmed");
    CheckLog();
    ExpectFinishes();
  }
  // After 1 to 12 passes.
  std::string Later() { return absl::StrCat(",after=", 1 + static_cast<int>(Uniform() * 12)); }
};

TEST_F(ClientFaults, Killed) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  run->Signal(SIGKILL);
  run->Wait(absl::Seconds(10));
  CheckLog();
  ExpectFinishes();
}

TEST_F(ClientFaults, StoppedAndContinued) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  run->Signal(SIGSTOP);
  absl::SleepFor(absl::Milliseconds(700));
  run->Signal(SIGCONT);
  EXPECT_EQ(run->Wait(absl::Minutes(1)).exit_code, kExitOk);
  ExpectFinishes();
}

TEST_F(ClientFaults, Terminated) {
  auto run = scenario().StartCtl(Run(), "run");
  absl::SleepFor(Moment());
  run->Signal(SIGTERM);
  EXPECT_TRUE(Among(run->Wait(absl::Minutes(1)), {kExitOk, kExitInterrupted}));
  CheckLog("run", true);
  ExpectFinishes();
}

TEST_F(ClientFaults, DiskFull) {
  EndsWith(absl::StrCat("call=write,path=cells.jsonl,errno=", ENOSPC, Later()), kExitDisk,
           "No space");
}

TEST_F(ClientFaults, DiskFullForAMoment) {
  EndsWith(absl::StrCat("call=write,path=cells.jsonl,times=1,errno=", ENOSPC, Later()), kExitDisk,
           "");
}

TEST_F(ClientFaults, WriteError) {
  EndsWith(absl::StrCat("call=write,path=cells.jsonl,errno=", EIO, Later()), kExitDisk, "");
}

TEST_F(ClientFaults, ShortWrites) { EndsWith("call=write,path=cells.jsonl,short=1", kExitOk, ""); }

TEST_F(ClientFaults, ShortWriteThenDiskFull) {
  const int after = 1 + static_cast<int>(Uniform() * 12);
  EndsWith(absl::StrCat("call=write,path=cells.jsonl,short=1,times=1,after=", after,
                        ";call=write,path=cells.jsonl,errno=", ENOSPC, ",after=", after),
           kExitDisk, "");
}

// After a failed sync nothing that was written may be believed: one failure ends the run.
TEST_F(ClientFaults, SyncError) {
  EndsWith(absl::StrCat("call=fsync,path=cells.jsonl,times=1,errno=", EIO, Later()), kExitDisk, "");
}

TEST_F(ClientFaults, SummaryCannotBeRenamed) {
  EndsWith(absl::StrCat("call=rename,path=summary.json,errno=", EIO), kExitDisk, "");
}

TEST_F(ClientFaults, FolderIsReadOnly) {
  EndsWith(absl::StrCat("call=open,path=cells.jsonl,errno=", EROFS), kExitDisk, "Read-only");
}

TEST_F(ClientFaults, NoFileDescriptors) {
  // Sockets fail for a while, as they do at the limit of open files, then work again.
  EndsWith(absl::StrCat("call=socket,times=3,errno=", EMFILE), kExitOk, "");
}

TEST_F(ClientFaults, NoMemory) {
  auto run =
      scenario().StartCtl(Run(), "run", Shim(absl::StrCat("call=malloc,times=-1,after=", 16384)));
  const ProcessEnd end = run->Wait(absl::Minutes(1));
  EXPECT_FALSE(end.timed_out);
  EXPECT_NE(end.exit_code, kExitOk);
  CheckLog();
  ExpectFinishes();
}

// What cannot start a thread ends, by a message or by a signal of its own, and nothing of what is logged is lost. Where the thread was the timer
// thread of gRPC 1.51, that library waits for it in its destructor without end: who started the client has to kill it then.
TEST_F(ClientFaults, NoThreads) {
  auto run = scenario().StartCtl(
      Run(), "run", Shim(absl::StrCat("call=thread,errno=", EAGAIN, ",after=", Pass(40))));
  (void)run->Wait(absl::Seconds(30));  // and kills it
  CheckLog();
  ExpectFinishes();
}

TEST_F(ClientFaults, ClockJumpsForward) {
  EndsWith(absl::StrCat("call=clock,seconds=3600,after=", absl::ToInt64Milliseconds(Moment())),
           kExitOk, "");
}

TEST_F(ClientFaults, ClockJumpsBack) {
  EndsWith(absl::StrCat("call=clock,seconds=-3600,after=", absl::ToInt64Milliseconds(Moment())),
           kExitOk, "");
}

TEST_F(ClientFaults, TwoClientsWriteOneFolder) {
  auto first = scenario().StartCtl(Run(), "first");
  absl::SleepFor(clean_time() * 0.3);
  const CommandResult second = scenario().Ctl(Run());
  // The first may have ended already; then the second has only reported.
  EXPECT_TRUE(Among(second.end, {kExitFolder, kExitOk})) << second.err;
  EXPECT_EQ(first->Wait(absl::Minutes(1)).exit_code, kExitOk);
  ExpectFinishes();
}

TEST_F(ClientFaults, TwoClientsWriteTwoFolders) {
  auto first = scenario().StartCtl(Run("first"), "first");
  auto second = scenario().StartCtl(Run("second"), "second");
  EXPECT_EQ(first->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("first");
  EXPECT_EQ(second->Wait(absl::Minutes(1)).exit_code, kExitOk) << CtlError("second");
  ExpectFinishes("first");
  ExpectFinishes("second");
}

}  // namespace
}  // namespace steer
