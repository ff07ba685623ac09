// One observer for the threads of a run.
#ifndef STEER_CLIENT_RUN_SERIAL_OBSERVER_H_
#define STEER_CLIENT_RUN_SERIAL_OBSERVER_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "client/run/observer.h"

namespace steer {

// Thread-safe: passes every call on under one lock, so that `inner` sees one at a time.
class SerialObserver : public RunObserver {
 public:
  explicit SerialObserver(RunObserver* inner) : inner_(inner) {}

  // Runs something else that must not meet a call.
  void Do(absl::FunctionRef<void()> what);

  void OnStart(int64_t cells, int64_t rows, int64_t done_cells, int64_t done_rows) override;
  void OnStage(uint64_t seed, absl::string_view stage, int64_t cells) override;
  void OnRows(uint64_t seed, int64_t done, int64_t total) override;
  void OnFit(const FitRecord& fit, bool resumed) override;
  void OnCell(const CellRecord& cell) override;
  void OnSelected(const SelectionRecord& selection) override;
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override;
  void OnSeedEnd(uint64_t seed) override;
  void OnServer(const ServerChange& change) override;
  void OnMove(const SeedMove& move) override;
  void OnRestart(const RestartRecord& restart, int64_t rows) override;

 private:
  absl::Mutex mutex_;
  RunObserver* const inner_;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_SERIAL_OBSERVER_H_
