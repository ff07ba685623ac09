// FitDirection in the engine. Engine thread only.
#ifndef STEER_SERVER_ENGINE_FIT_CALL_H_
#define STEER_SERVER_ENGINE_FIT_CALL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "server/engine/call.h"
#include "server/engine/engine.h"
#include "server/engine/progress.h"
#include "server/steering/fit.h"

namespace steer {

// Failpoint "engine.nan_state": a prompt's last state is not finite.
class FitCall : public EngineCall {
 public:
  // `observer` outlives the call.
  FitCall(FitJob job, std::shared_ptr<CallControl> control, std::shared_ptr<FitSink> sink,
          const ModelFacts& facts, DirectionStore* store, EngineObserver* observer);
  // The set under the job's id, if it is stored already: then no row runs.
  static std::string SetId(const FitJob& job, const ModelFacts& facts);

  std::unique_ptr<Row> NextRow() override;
  int64_t RowsLeft() const override { return total() - issued_; }
  absl::Status OnRowDone(Row& row) override;
  bool FinishIfComplete() override;
  void Fail(const absl::Status& status) override;

 private:
  absl::StatusOr<FitResult> Finish();
  int64_t total() const { return static_cast<int64_t>(job_.harmful.size() + job_.harmless.size()); }
  FitJob job_;
  std::shared_ptr<FitSink> sink_;
  const ModelFacts& facts_;
  DirectionStore* store_;
  EngineObserver* const observer_;
  std::string set_id_;
  DirectionFit fit_;
  ProgressGate gate_;
  int64_t issued_ = 0;
  int64_t done_ = 0;
  bool cached_ = false;
  absl::Time began_ = absl::InfiniteFuture();  // of the first row
  absl::Duration accumulated_;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_FIT_CALL_H_
