#include "tests/client/commands/steerctl_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/paths.h"

extern char** environ;

namespace steer {

ProcessResult RunSteerctl(const std::vector<std::string>& arguments,
                          const ProcessOptions& options) {
  TemporaryFolder folder;
  WriteAll(folder / "in", options.input);
  std::vector<std::string> words;
  std::string before = options.before;
  if (options.file_size_limit > 0) before = absl::StrCat("ulimit -f ", options.file_size_limit);
  if (!before.empty()) words = {"/bin/bash", "-c", before + "; exec \"$@\"", "bash"};
  words.push_back(BuildPath("client/steerctl"));
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables;
  for (char** v = environ; *v != nullptr; ++v) {
    if (absl::StartsWith(*v, "STEER_") || (!options.path.empty() && absl::StartsWith(*v, "PATH=")))
      continue;
    variables.emplace_back(*v);
  }
  if (!options.failpoints.empty()) variables.push_back("STEER_FAILPOINTS=" + options.failpoints);
  if (!options.path.empty()) variables.push_back("PATH=" + options.path);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, (folder / "in").c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (folder / "out").c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (folder / "err").c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t pid = 0;
  int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ProcessResult result;
  if (error != 0) {
    result.err = absl::StrCat("cannot start ", argv[0]);
    return result;
  }
  std::thread killer;
  if (options.signal_after > 0) {
    killer = std::thread([&] {
      absl::SleepFor(absl::Seconds(options.signal_after));
      kill(pid, options.signal_sent);
    });
  }
  // Wait without reaping, so that the killer never meets a pid that is someone else's by now.
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  if (killer.joinable()) killer.join();
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.out = ReadAll(folder / "out");
  result.err = ReadAll(folder / "err");
  return result;
}

}  // namespace steer
