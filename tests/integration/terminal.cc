#include "tests/integration/terminal.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/time/clock.h"

namespace steer {

bool HaveTerminals() {
  int ours = -1, theirs = -1;
  if (openpty(&ours, &theirs, nullptr, nullptr, nullptr) != 0) return false;
  close(ours);
  close(theirs);
  return true;
}

TerminalResult RunOnTerminal(const std::vector<std::string>& argv, const Environment& environment,
                             int columns) {
  winsize size = {};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = 24;
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid < 0) return {-1, "no pseudo-terminal"};
  if (pid == 0) {
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> arguments;
    for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  TerminalResult result;
  const absl::Time end = absl::Now() + absl::Minutes(2);
  char buffer[4096];
  while (true) {
    pollfd waiting = {terminal, POLLIN, 0};
    if (absl::Now() > end) kill(pid, SIGKILL);
    if (poll(&waiting, 1, 1000) <= 0) continue;
    const ssize_t got = read(terminal, buffer, sizeof(buffer));
    if (got <= 0) break;  // EIO once the program has ended
    result.shown.append(buffer, static_cast<size_t>(got));
  }
  int status = 0;
  waitpid(pid, &status, 0);
  close(terminal);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace steer
