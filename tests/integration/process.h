// Child processes of the integration tests: the real programs, started, killed and waited for.
#ifndef STEER_TESTS_INTEGRATION_PROCESS_H_
#define STEER_TESTS_INTEGRATION_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace steer {

// How a process ended.
struct ProcessEnd {
  bool timed_out = false;
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;
};

class Process {
 public:
  // Starts argv[0] with `environment` added; output goes to the two files (appended). Aborts the
  // test program if fork fails.
  Process(const std::vector<std::string>& argv,
          const std::map<std::string, std::string>& environment, const std::string& stdout_path,
          const std::string& stderr_path);
  // Kills it if it still runs, so that no test leaves one behind.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int signal) const;
  bool running();
  // Waits; kills it at the timeout.
  ProcessEnd Wait(absl::Duration timeout);
  pid_t pid() const { return pid_; }

 private:
  bool Reap(bool block);
  pid_t pid_;
  bool ended_ = false;
  ProcessEnd end_;
};

}  // namespace steer

#endif  // STEER_TESTS_INTEGRATION_PROCESS_H_
