// Ctrl-C and SIGTERM during a run: the first asks to stop at the next durable cell, the second
// stops at once.
#ifndef STEER_CLIENT_COMMANDS_SIGNALS_H_
#define STEER_CLIENT_COMMANDS_SIGNALS_H_

#include <cstdint>

namespace steer {

// Installs the handlers for the rest of the program.
void CatchStopSignals();
// Signals so far. Any thread.
int StopSignals();
// True from the second signal on, or a while after the first: a cell that never ends must not hold
// the terminal. Any thread.
bool StopNow();
// What StopNow says of so many signals, so long after the first.
bool StopsNow(int signals, int64_t seconds);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_SIGNALS_H_
