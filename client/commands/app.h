// The command line of steerctl.
#ifndef STEER_CLIENT_COMMANDS_APP_H_
#define STEER_CLIENT_COMMANDS_APP_H_

namespace steer {

// Parses, runs, and returns the exit code (exit_code.h). No exception leaves it.
int SteerctlMain(int argc, char** argv);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_APP_H_
