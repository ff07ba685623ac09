// Which of several servers takes which seed, and when there is no hope left. Facts in, decisions
// out: no thread, no clock, no call. Private to client/run. Not thread-safe.
#ifndef STEER_CLIENT_RUN_FLEET_SCHEDULE_H_
#define STEER_CLIENT_RUN_FLEET_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace steer {

class FleetSchedule {
 public:
  FleetSchedule(int servers, absl::Duration move_after, absl::Duration patience);

  // Before the first Take, in the lock's order. `measured`: numeric fingerprint of its cells, or
  // empty.
  void AddSeed(uint64_t seed, std::string measured);

  // The server answered. True if it did not before.
  bool Up(int server, const std::string& numerics);
  // It did not answer, and has no seed in hand. True if that makes it away: after move_after.
  bool Silent(int server, absl::Time now, const absl::Status& why);
  // It is not to be asked again.
  void Out(int server, const absl::Status& why);
  // The server shows that it gets on with its seed: rows, a cell, a fit.
  void Progress(int server);

  struct Task {
    size_t seed = 0;    // index, in the order of AddSeed
    bool anew = false;  // what was measured has other numbers and is to be dropped
    int from = -1;      // server that had it last; -1: none in this session
  };
  // A seed for a server that is up and has none. Unset: none for now, or none left.
  absl::optional<Task> Take(int server);
  // The seed that the server has is finished, as far as it could be.
  void Finish(int server);
  // The server was lost with it (or changed its numbers). The seed may be taken again; `measured` as
  // in AddSeed.
  void Lose(int server, absl::Time now, const absl::Status& why, std::string measured);

  bool finished() const;  // no seed is left
  // OK while there is hope; else what the run ends with: every server is out, or none has shown life
  // for the patience.
  absl::Status Hope(absl::Time now) const;

 private:
  enum class State { kStarting, kUp, kAway, kOut };
  struct Server {
    State state = State::kStarting;
    std::string numerics;                      // when it was last up
    absl::optional<size_t> seed;               // in hand
    absl::optional<absl::Time> failing_since;  // no life since
    absl::Status why;
    bool progress = false;  // with the seed in hand
    int fruitless = 0;      // seeds lost in a row, without progress
  };
  struct Seed {
    uint64_t seed = 0;
    std::string measured;
    bool finished = false;
    bool taken = false;
    int last = -1;      // server
    int fruitless = 0;  // servers lost over it in a row, without progress
  };
  // 0: begun with the server's numbers, 1: not begun, 2: to be begun anew. Unset: not for it.
  absl::optional<int> Suits(const Server& server, const Seed& seed) const;

  const absl::Duration move_after_;
  const absl::Duration patience_;
  std::vector<Server> servers_;
  std::vector<Seed> seeds_;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_FLEET_SCHEDULE_H_
