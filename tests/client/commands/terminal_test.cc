// What a terminal sees of a run's progress, and when standard output is put in bold.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands/progress.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

// A stream of this process on a terminal of `columns` columns, as long as this lives.
class OnTerminal {
 public:
  OnTerminal(int stream, unsigned short columns) : stream_(stream) {
    fflush(nullptr);
    held_ = dup(stream);
    user_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (user_ < 0 || grantpt(user_) != 0 || unlockpt(user_) != 0) return;
    const int program = open(ptsname(user_), O_RDWR | O_NOCTTY);
    if (program < 0) return;
    termios modes;
    tcgetattr(program, &modes);
    cfmakeraw(&modes);
    tcsetattr(program, TCSANOW, &modes);
    Resize(columns);
    dup2(program, stream);
    close(program);
    there_ = true;
  }
  ~OnTerminal() {
    fflush(nullptr);
    dup2(held_, stream_);
    close(held_);
    if (user_ >= 0) close(user_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  // False where the machine gives no terminals.
  bool there() const { return there_; }
  void Resize(unsigned short columns) {
    const winsize size = {24, columns, 0, 0};
    ioctl(user_, TIOCSWINSZ, &size);
  }
  // What was shown since the last call.
  std::string Shown() {
    fflush(nullptr);
    std::string shown;
    char buffer[4096];
    for (pollfd ready = {user_, POLLIN, 0}; poll(&ready, 1, 50) > 0;) {
      const ssize_t n = read(user_, buffer, sizeof(buffer));
      if (n <= 0) break;
      shown.append(buffer, static_cast<size_t>(n));
    }
    return shown;
  }

 private:
  const int stream_;
  int held_ = -1, user_ = -1;
  bool there_ = false;
};

// TERM and NO_COLOR as a test wants them; null removes.
void SetVariable(const char* name, const char* value) {
  value == nullptr ? unsetenv(name) : setenv(name, value, 1);
}

constexpr char kRenewal[] = "\r\033[K";
constexpr char kTable[] = "rates\nverdict: NONE\nmore\n";

TEST(Emphasis, ForTerminalsThatTakeIt) {
  const std::string bold = "rates\n\033[1mverdict: NONE\033[0m\nmore\n";
  const Context plain;
  Context without;
  without.no_color = true;
  SetVariable("NO_COLOR", nullptr);
  EXPECT_EQ(Emphasised(plain, kTable), kTable) << "no terminal";
  std::string on_terminal, no_colour, flag, empty, no_verdict;
  {
    OnTerminal terminal(STDOUT_FILENO, 80);
    if (!terminal.there()) GTEST_SKIP() << "no pseudo-terminals here";
    on_terminal = Emphasised(plain, kTable);
    flag = Emphasised(without, kTable);
    no_verdict = Emphasised(plain, "rates\n");
    SetVariable("NO_COLOR", "1");
    no_colour = Emphasised(plain, kTable);
    SetVariable("NO_COLOR", "");
    empty = Emphasised(plain, kTable);
    SetVariable("NO_COLOR", nullptr);
  }
  EXPECT_EQ(on_terminal, bold);
  EXPECT_EQ(empty, bold) << "an empty NO_COLOR is none (no-color.org)";
  EXPECT_EQ(no_colour, kTable);
  EXPECT_EQ(flag, kTable);
  EXPECT_EQ(no_verdict, "rates\n");
}

class ProgressOf : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* term = getenv("TERM");
    if (term != nullptr) term_ = term;
    SetVariable("TERM", "xterm");
  }
  void TearDown() override { SetVariable("TERM", term_.empty() ? nullptr : term_.c_str()); }
  std::string term_;
  Context context_;
};

TEST_F(ProgressOf, ATerminalThatSaysWhatItIs) {
  bool xterm, unknown, dumb;
  {
    OnTerminal terminal(STDERR_FILENO, 80);
    if (!terminal.there()) GTEST_SKIP() << "no pseudo-terminals here";
    xterm = InteractiveTerminal();
    SetVariable("TERM", nullptr);
    unknown = InteractiveTerminal();
    SetVariable("TERM", "dumb");
    dumb = InteractiveTerminal();
  }
  EXPECT_TRUE(xterm);
  EXPECT_FALSE(unknown);
  EXPECT_FALSE(dumb);
}

// The renewed line is cut at the terminal's width, never inside of a character.
TEST_F(ProgressOf, WaitingIsCutToTheTerminal) {
  std::string wide, cut, dots, tiny, none;
  {
    OnTerminal terminal(STDERR_FILENO, 200);
    if (!terminal.there()) GTEST_SKIP() << "no pseudo-terminals here";
    Progress progress(context_);
    const absl::Status why = absl::UnavailableError("cha\xc3\xaenettes");
    auto shown = [&](unsigned short columns) {
      terminal.Resize(columns);
      progress.OnWaiting("a:1", why, absl::Seconds(3725));
      return terminal.Shown();
    };
    const std::string whole = "waiting for steerd at a:1 (1 h 02 min): cha";
    wide = shown(200);
    // Room for the first byte of the next character, and for the dots.
    cut = shown(static_cast<unsigned short>(whole.size() + 5));
    dots = shown(4);
    tiny = shown(3);
    none = shown(0);
  }
  const std::string line = "waiting for steerd at a:1 (1 h 02 min): cha\xc3\xaenettes";
  EXPECT_EQ(wide, kRenewal + line);
  EXPECT_EQ(cut, kRenewal + line.substr(0, line.size() - 8) + "...");
  EXPECT_EQ(dots, absl::StrCat(kRenewal, "..."));
  EXPECT_EQ(tiny, absl::StrCat(kRenewal, "wa")) << "no room for dots";
  EXPECT_EQ(none, kRenewal + line) << "of no known width: 80 columns";
}

// Standard error is no terminal any more when its width is asked for.
TEST_F(ProgressOf, WithoutAWidthThereAreEightyColumns) {
  FILE* file = tmpfile();
  ASSERT_NE(file, nullptr);
  {
    OnTerminal terminal(STDERR_FILENO, 40);
    if (!terminal.there()) {
      fclose(file);
      GTEST_SKIP() << "no pseudo-terminals here";
    }
    Progress progress(context_);
    dup2(fileno(file), STDERR_FILENO);
    progress.OnWaiting("a:1", absl::UnavailableError(std::string(200, 'x')), absl::ZeroDuration());
    fflush(stderr);
  }
  rewind(file);
  char shown[400] = {};
  const size_t n = fread(shown, 1, sizeof(shown) - 1, file);
  fclose(file);
  const std::string line = "waiting for steerd at a:1 (0 s): " + std::string(200, 'x');
  EXPECT_TRUE(absl::StartsWith(std::string(shown, n), kRenewal + line.substr(0, 76) + "..."))
      << shown;
}

TEST(Progress, SaysWhatHappensToSeedsAndServers) {
  Context context;
  testing::internal::CaptureStderr();
  {
    Progress progress(context);
    FitRecord fit;
    fit.seed = 4;
    fit.set_id = "abcdef0123456789";
    progress.OnFit(fit, true);  // of a seed that no server works on
    progress.OnSeedEnd(4);
    progress.OnServer({"a:1", ServerChange::kUp, "n1", absl::OkStatus()});
    progress.OnServer({"b:1", ServerChange::kUp, "n2", absl::OkStatus()});
    progress.OnServer({"a:1", ServerChange::kAway, "", absl::UnavailableError("gone")});
    progress.OnMove({4, "a:1", "b:1", true, false});
    progress.OnMove({5, "", "b:1", false, false});
    progress.OnMove({6, "a:1", "b:1", false, true});
    SelectionRecord selection;
    selection.seed = 4;
    progress.OnSelected(selection);
  }
  const std::string said = testing::internal::GetCapturedStderr();
  for (const char* line :
       {"seed 4: direction set abcdef012345 (fitted before)\n",
        "server a:1: answers, numeric fingerprint n1\n", "note: the servers differ in numeric",
        "server a:1: lost: gone\n", "seed 4: moves from a:1 to b:1, its set imported\n",
        "seed 5: moves to b:1\n", "seed 6: moves from a:1 to b:1, anew\n",
        "seed 4: no layer has a usable direction\n"}) {
    EXPECT_TRUE(absl::StrContains(said, line)) << line << "\n" << said;
  }
}

TEST(Progress, WhatARunLosesIsSaidEvenIfQuiet) {
  Context context;
  context.quiet = true;
  testing::internal::CaptureStderr();
  {
    Progress progress(context);
    progress.OnServer({"a:1", ServerChange::kAway, "", absl::UnavailableError("gone")});
    progress.OnServer({"a:1", ServerChange::kOut, "", absl::FailedPreconditionError("another")});
    FailureRecord failure;
    failure.of = "seed-0/fit";
    failure.code = "INTERNAL";
    progress.OnFailure(failure, absl::InternalError("why"));
    failure.reason = "WRONG_RECEIPT";
    progress.OnFailure(failure, absl::InternalError("why"));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "steerctl: server a:1 is left out: another\n"
            "steerctl: FAILED seed-0/fit: INTERNAL: why\n"
            "steerctl: FAILED seed-0/fit: INTERNAL (WRONG_RECEIPT): why\n");
}

TEST(Progress, TheTimeLeftNeedsAPace) {
  Context context;
  context.quiet = true;
  Progress progress(context);
  progress.OnStart(10, 100, 0, 0);
  progress.OnStage(0, "test", 10);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(progress.SecondsLeft()) << i;
    progress.OnCell(CellRecord());
  }
  EXPECT_FALSE(progress.SecondsLeft()) << "cells without rows have none";
  CellRecord cell;
  cell.rows.resize(2);
  progress.OnCell(cell);
  EXPECT_TRUE(progress.SecondsLeft());
}

TEST(ShownSeconds, InTheLargestUnits) {
  const std::pair<double, const char*> cases[] = {
      {-1, "0 s"},         {0.4, "0 s"},           {59.4, "59 s"},       {59.6, "1 min 00 s"},
      {200, "3 min 20 s"}, {3599.6, "1 h 00 min"}, {3725, "1 h 02 min"},
  };
  for (const auto& [seconds, shown] : cases) EXPECT_EQ(ShownSeconds(seconds), shown);
}

}  // namespace
}  // namespace steer
