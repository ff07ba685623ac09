// Runs the built steerctl as a child process.
#ifndef STEER_TESTS_CLIENT_COMMANDS_STEERCTL_PROCESS_H_
#define STEER_TESTS_CLIENT_COMMANDS_STEERCTL_PROCESS_H_

#include <string>
#include <vector>

namespace steer {

struct ProcessResult {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string failpoints;    // STEER_FAILPOINTS
  std::string input;         // standard input
  long file_size_limit = 0;  // RLIMIT_FSIZE in KiB, 0: none
  double signal_after = 0;   // seconds until `signal_sent`, 0: never
  int signal_sent = 0;
  std::string path;    // PATH in place of ours
  std::string before;  // bash commands in the same process, before it becomes steerctl
};

ProcessResult RunSteerctl(const std::vector<std::string>& arguments,
                          const ProcessOptions& options = {});

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_COMMANDS_STEERCTL_PROCESS_H_
