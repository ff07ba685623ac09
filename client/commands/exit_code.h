// How steerctl ends. Documented in `steerctl --help` and client/README.md.
#ifndef STEER_CLIENT_COMMANDS_EXIT_CODE_H_
#define STEER_CLIENT_COMMANDS_EXIT_CODE_H_

#include "absl/status/status.h"

namespace steer {

enum ExitCode : int {
  kExitOk = 0,               // done, whatever the verdict
  kExitFailure = 1,          // anything without a code of its own
  kExitUsage = 2,            // flags
  kExitInput = 3,            // a plan, lock, data file, result log or result is wrong
  kExitUnreachable = 4,      // no server, or it stayed away or full
  kExitServer = 5,           // the server refused, or is not the one that the lock was made for
  kExitIncomplete = 6,       // cells are missing: verdict INCOMPLETE
  kExitDisk = 7,             // results could not be written
  kExitFolder = 8,           // the run folder is in use or not one of this lock
  kExitFigure = 9,           // results are right, figures could not be drawn or are not the same
  kExitMetricsAddress = 10,  // --metrics-listen: the address cannot be listened on
  kExitGateway = 11,         // push, forget: no Pushgateway there, or it refused
  kExitInterrupted = 130,    // stopped by a signal; `run` again goes on
};

// Where a status comes from, for codes that mean different things there.
enum class Source { kInput, kServer };
int ExitCodeOf(const absl::Status& status, Source source);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_EXIT_CODE_H_
