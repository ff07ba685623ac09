// What a run tells its surroundings as it goes: the terminal, metrics. Called on the run's threads,
// one call at a time (SerialObserver sees to it where there are several); an observer never fails a
// run.
#ifndef STEER_CLIENT_RUN_OBSERVER_H_
#define STEER_CLIENT_RUN_OBSERVER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/run/records.h"

namespace steer {

// What became of one of several servers.
struct ServerChange {
  enum Kind {
    kUp,    // it answers, for the first time or again
    kAway,  // it was lost: its seed may move
    kOut,   // it has another model, or refuses us: not asked again in this session
  };
  std::string server;
  Kind kind = kUp;
  std::string numeric_fingerprint;  // of kUp
  absl::Status why;                 // of the others
};

// A seed that was taken over by another server.
struct SeedMove {
  uint64_t seed = 0;
  std::string from;       // server; empty if a session before this one began the seed
  std::string to;         // server
  bool imported = false;  // the set was imported there from the run folder
  bool anew = false;      // a server with other numbers: everything is measured again
};

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // Cells and rows of the whole lock, and those that the log already held.
  virtual void OnStart(int64_t /*cells*/, int64_t /*rows*/, int64_t /*done_cells*/,
                       int64_t /*done_rows*/) {}
  // "fit", "selection" or "test" begins; `cells` is what is left to do in it (1 for a fit).
  virtual void OnStage(uint64_t /*seed*/, absl::string_view /*stage*/, int64_t /*cells*/) {}
  // Within the call that the seed runs.
  virtual void OnRows(uint64_t /*seed*/, int64_t /*done*/, int64_t /*total*/) {}
  virtual void OnFit(const FitRecord& /*fit*/, bool /*resumed*/) {}
  // The cell is durable.
  virtual void OnCell(const CellRecord& /*cell*/) {}
  virtual void OnSelected(const SelectionRecord& /*selection*/) {}
  // `why` may quote the server: for a terminal, never for a file.
  virtual void OnFailure(const FailureRecord& /*failure*/, const absl::Status& /*why*/) {}
  // The seed's server works on it no longer: it is done, or its server was lost.
  virtual void OnSeedEnd(uint64_t /*seed*/) {}

  // Of runs on several servers.
  virtual void OnServer(const ServerChange& /*change*/) {}
  // The seed goes on another server than before.
  virtual void OnMove(const SeedMove& /*move*/) {}
  // The seed begins anew; `rows` of its cells no longer count.
  virtual void OnRestart(const RestartRecord& /*restart*/, int64_t /*rows*/) {}
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_OBSERVER_H_
