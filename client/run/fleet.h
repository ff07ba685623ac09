// One experiment on several servers: each takes whole seeds, as many at a time as there are servers.
//
// Which server takes which seed. A seed's cells carry the numeric fingerprint of the server that
// measured them and stay with it: a seed that was begun goes to a server of that fingerprint, whose
// numbers are the same by contract, with its fitted set imported from the run folder. Only when no
// server that answers has that fingerprint does the seed begin anew on another one; the log says so
// (RestartRecord), and with it the summary. Seeds that nothing was measured of go to any server.
//
// What a lost server means. A call waits `move_after` for its server; then the seed may move. The
// server is asked again every `probe_every`, and takes seeds again once it answers. When no server
// has shown life for `patience`, the run stops with the last failure; what is measured is safe.
#ifndef STEER_CLIENT_RUN_FLEET_H_
#define STEER_CLIENT_RUN_FLEET_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/run/experiment.h"
#include "client/run/serial_observer.h"

namespace steer {

struct FleetOptions {
  std::vector<std::string> servers;  // two or more different names
  absl::Duration move_after = absl::Seconds(30);
  absl::Duration patience = absl::Minutes(10);
  absl::Duration probe_every = absl::Seconds(1);
  // Makes a client of one server that tries for `patience` and ends its calls once `stop` is true.
  // Called on the calling thread of RunOnServers, before any other work.
  std::function<absl::StatusOr<std::unique_ptr<Client>>(
      const std::string& server, absl::Duration patience, std::function<bool()> stop)>
      connect;
};

// As RunExperiment, with a thread for each server while it runs. A server that has another model or
// refuses us is left out and said (OnServer); if that is every one, its error is returned.
absl::Status RunOnServers(const Lock& lock, const std::string& data_root, const RunOptions& options,
                          const FleetOptions& fleet, ResultLog* log, SerialObserver* observer,
                          RunStats* stats);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_FLEET_H_
