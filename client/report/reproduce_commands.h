// The commands that make a run again, for a POSIX shell.
#ifndef STEER_CLIENT_REPORT_REPRODUCE_COMMANDS_H_
#define STEER_CLIENT_REPORT_REPRODUCE_COMMANDS_H_

#include <set>
#include <string>
#include <vector>

#include "client/plan/lock.h"
#include "client/report/run_provenance.h"
#include "common/json.h"

namespace steer {

struct ShellCommand {
  std::string what;     // one line, what it is for and what the reader must know
  std::string command;  // one line, unless a path of the reader's own holds line ends
  // Variables that the reader must set; the shell stops with a message if one is not.
  std::vector<std::string> fill_in;
};

struct CommandInputs {
  std::string folder;     // of the run, absolute
  std::string output;     // of the new run, absolute
  std::string data_root;  // absolute; empty: the reader's to fill in, $DATA_ROOT
  std::string server;     // as --server has it; empty: the default of both programs
};

// One steerd for each of `fingerprints` (numeric, those of the cells) with the flags that change
// numbers, as far as they are proven (ServerProvenance), then the check of server and data, the run,
// and the comparison. Every word that comes from the folder is quoted, left out where it holds
// control characters, or a number. Pure.
std::vector<ShellCommand> ReproduceCommands(const Lock& lock, const RunProvenance& provenance,
                                            const std::set<std::string>& fingerprints,
                                            const CommandInputs& inputs);

// "# what" above each command.
std::string CommandLines(const std::vector<ShellCommand>& commands);
Json CommandsJson(const std::vector<ShellCommand>& commands);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_REPRODUCE_COMMANDS_H_
