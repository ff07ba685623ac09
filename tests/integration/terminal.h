// A program on a terminal of its own, as a user has one.
#ifndef STEER_TESTS_INTEGRATION_TERMINAL_H_
#define STEER_TESTS_INTEGRATION_TERMINAL_H_

#include <string>
#include <vector>

#include "tests/integration/scenario.h"

namespace steer {

struct TerminalResult {
  int exit_code = -1;  // -1 if a signal ended it
  std::string shown;   // every byte that reached the terminal
};

// False where the machine gives no pseudo-terminals (a chroot without /dev/pts, say).
bool HaveTerminals();

// Needs a terminal. Runs argv[0] with standard streams on a terminal of `columns` columns, until it ends; killed after
// two minutes. NO_COLOR is unset and TERM is xterm unless `environment` says otherwise.
TerminalResult RunOnTerminal(const std::vector<std::string>& argv, const Environment& environment,
                             int columns);

}  // namespace steer

#endif  // STEER_TESTS_INTEGRATION_TERMINAL_H_
