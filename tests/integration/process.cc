#include "tests/integration/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/time/clock.h"

namespace steer {
namespace {

void Redirect(const std::string& path, int target) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd >= 0) dup2(fd, target);
}

}  // namespace

Process::Process(const std::vector<std::string>& argv,
                 const std::map<std::string, std::string>& environment,
                 const std::string& stdout_path, const std::string& stderr_path) {
  pid_ = fork();
  if (pid_ < 0) abort();
  if (pid_ > 0) return;
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  int null = open("/dev/null", O_RDONLY);
  if (null >= 0) dup2(null, STDIN_FILENO);
  Redirect(stdout_path, STDOUT_FILENO);
  Redirect(stderr_path, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

Process::~Process() {
  if (!ended_) {
    Signal(SIGKILL);
    Reap(true);
  }
}

void Process::Signal(int signal) const {
  if (!ended_) kill(pid_, signal);
}

bool Process::Reap(bool block) {
  if (ended_) return true;
  int status = 0;
  pid_t result;
  do {
    result = waitpid(pid_, &status, block ? 0 : WNOHANG);
  } while (result < 0 && errno == EINTR);
  if (result != pid_) return false;
  ended_ = true;
  if (WIFEXITED(status)) end_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end_.signal = WTERMSIG(status);
  return true;
}

bool Process::running() { return !Reap(false); }

ProcessEnd Process::Wait(absl::Duration timeout) {
  absl::Time end = absl::Now() + timeout;
  while (!Reap(false)) {
    if (absl::Now() > end) {
      Signal(SIGKILL);
      Reap(true);
      end_.timed_out = true;
      break;
    }
    absl::SleepFor(absl::Milliseconds(2));
  }
  return end_;
}

}  // namespace steer
