// Drawing by another program: what it may do instead, and a system that has nothing left for it.
#include "client/report/gnuplot.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

constexpr char kScript[] = "set terminal svg\nplot x\n";

void ExpectFailure(const absl::StatusOr<std::string>& drawn, absl::StatusCode code,
                   absl::string_view said) {
  EXPECT_EQ(drawn.status().code(), code) << drawn.status();
  EXPECT_EQ(ReasonOf(drawn.status()), kFigureReason) << drawn.status();
  EXPECT_TRUE(absl::StrContains(drawn.status().message(), said)) << drawn.status();
}

// A shell script in gnuplot's place.
class FakeGnuplot : public ::testing::Test {
 protected:
  ~FakeGnuplot() override { setenv("PATH", path_.c_str(), 1); }

  void Install(const std::string& commands) {
    const std::string program = folder_ / "gnuplot";
    WriteAll(program, "#!/bin/sh\n" + commands + "\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    setenv("PATH", absl::StrCat(folder_.path(), ":", path_).c_str(), 1);
  }

  const std::string path_ = getenv("PATH");
  TemporaryFolder folder_;
};

TEST(RunGnuplot, QuotesAndReportsFailure) {
  EXPECT_EQ(GnuplotQuote("it's\n"), "'it''s '");
  ExpectFailure(RunGnuplot("set terminal svg\nplot this is wrong\n"), absl::StatusCode::kInternal,
                "gnuplot: ");
  for (const absl::Duration timeout : {absl::Milliseconds(300), absl::ZeroDuration()})
    ExpectFailure(RunGnuplot("pause 30\n", timeout), absl::StatusCode::kInternal, "took too long");
}

TEST(RunGnuplot, WithoutAPathTheSystemsOwnIsUsed) {
  const std::string path = getenv("PATH");
  absl::Cleanup put_back = [&path] { setenv("PATH", path.c_str(), 1); };
  unsetenv("PATH");
  const auto drawn = RunGnuplot(kScript);
  ASSERT_TRUE(drawn.ok()) << drawn.status();
  EXPECT_TRUE(absl::StrContains(*drawn, "</svg>"));
}

TEST_F(FakeGnuplot, ReadsTheScriptFromItsBeginning) {
  Install("cat");
  const auto drawn = RunGnuplot(kScript);
  ASSERT_TRUE(drawn.ok()) << drawn.status();
  EXPECT_EQ(*drawn, kScript);
}

TEST_F(FakeGnuplot, ItsEndAndItsWordsDecide) {
  Install("exit 0");
  ExpectFailure(RunGnuplot(kScript), absl::StatusCode::kInternal, "it drew nothing");
  Install("echo drawn; echo no such font >&2; exit 3");
  ExpectFailure(RunGnuplot(kScript), absl::StatusCode::kInternal, "no such font");
  Install("echo drawn; kill -9 $$");
  ExpectFailure(RunGnuplot(kScript), absl::StatusCode::kInternal, "it drew nothing");
  setenv("PATH", "/nonexistent", 1);
  ExpectFailure(RunGnuplot(kScript), absl::StatusCode::kUnavailable, "install gnuplot-nox");
}

// A signal that is caught interrupts every wait; drawing goes on after each.
TEST_F(FakeGnuplot, SignalsAreNoEnd) {
  static volatile sig_atomic_t caught;
  caught = 0;
  struct sigaction count = {}, before;
  count.sa_handler = [](int) { caught = caught + 1; };  // without SA_RESTART
  ASSERT_EQ(sigaction(SIGALRM, &count, &before), 0);
  const itimerval often = {{0, 50000}, {0, 50000}}, never = {};
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  absl::Cleanup quiet = [&] {
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
  };
  // Waits first with its output open, then with it closed.
  Install("sleep 0.4; echo drawn; exec >&-; sleep 0.4");
  const auto drawn = RunGnuplot(kScript);
  ASSERT_TRUE(drawn.ok()) << drawn.status();
  EXPECT_EQ(*drawn, "drawn\n");
  EXPECT_GE(caught, 4);
}

// Whoever started us may have left it to the kernel to collect children.
TEST_F(FakeGnuplot, AChildThatIsCollectedByTheKernelIsJudgedByWhatItDrew) {
  const auto before = signal(SIGCHLD, SIG_IGN);
  absl::Cleanup put_back = [before] { signal(SIGCHLD, before); };
  Install("echo drawn");
  EXPECT_TRUE(RunGnuplot(kScript).ok());
  Install("echo wrong >&2; exit 1");
  ExpectFailure(RunGnuplot(kScript), absl::StatusCode::kInternal, "wrong");
}

// How many descriptors are free below `limit`.
int FreeBelow(int limit) {
  int free = 0;
  for (int fd = 0; fd < limit; ++fd) free += fcntl(fd, F_GETFD) < 0;
  return free;
}

TEST(RunGnuplot, ASystemWithoutDescriptorsIsSaid) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  absl::Cleanup put_back = [&before] { setrlimit(RLIMIT_NOFILE, &before); };
  // For the script, for gnuplot's words, and two for the pipe.
  for (int left = 0; left < 4; ++left) {
    rlimit few = before;
    few.rlim_cur = 3;
    while (FreeBelow(static_cast<int>(few.rlim_cur)) < left) ++few.rlim_cur;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto drawn = RunGnuplot(kScript);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    ExpectFailure(drawn, absl::StatusCode::kInternal, "Too many open files");
  }
  EXPECT_TRUE(RunGnuplot(kScript).ok());
}

TEST(RunGnuplot, AScriptThatFindsNoRoomIsSaid) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit few = before;
  few.rlim_cur = 10;  // bytes of any file
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &few), 0);
  const auto drawn = RunGnuplot(kScript);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  ExpectFailure(drawn, absl::StatusCode::kInternal, "no memory for the script");
}

}  // namespace
}  // namespace steer
