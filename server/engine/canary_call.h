// A row of the engine's own, through scheduler, model and head like any other, that shows whether
// the model still computes: its logits are finite and, bit for bit, those of the first run. Engine
// thread only.
#ifndef STEER_SERVER_ENGINE_CANARY_CALL_H_
#define STEER_SERVER_ENGINE_CANARY_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "server/engine/call.h"

namespace steer {

// What the first run computed; later ones are held against it.
struct CanaryReference {
  std::vector<float> logits;       // [vocabulary] at the prompt's end; empty: no run yet
  std::vector<int32_t> generated;  // of two steps
};

class CanaryCall : public EngineCall {
 public:
  // `reference` outlives the call, which fills it if it is empty. `done` is called once with OK,
  // CANARY_NON_FINITE, CANARY_MISMATCH or what made the engine drop the call. Failpoint
  // "engine.canary".
  CanaryCall(int64_t vocabulary, CanaryReference* reference,
             std::function<void(const absl::Status&)> done);
  std::unique_ptr<Row> NextRow() override;
  int64_t RowsLeft() const override { return 0; }  // in no metric
  absl::Status OnPromptLogits(Row& row, absl::Span<const float> logits) override;
  absl::StatusOr<bool> OnToken(Row& row) override;
  absl::Status OnRowDone(Row& row) override;
  bool FinishIfComplete() override;
  void Fail(const absl::Status& status) override { done_(status); }

 private:
  std::vector<int32_t> ids_;
  CanaryReference* const reference_;
  const std::function<void(const absl::Status&)> done_;
  bool issued_ = false;
  bool ended_ = false;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_CANARY_CALL_H_
