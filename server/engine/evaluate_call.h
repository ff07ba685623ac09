// Evaluate in the engine: reference rows first, then the arms in order. Engine thread only.
#ifndef STEER_SERVER_ENGINE_EVALUATE_CALL_H_
#define STEER_SERVER_ENGINE_EVALUATE_CALL_H_

#include <map>
#include <memory>
#include <vector>

#include "server/engine/call.h"
#include "server/engine/engine.h"
#include "server/engine/progress.h"

namespace steer {

class EvaluateCall : public EngineCall {
 public:
  // `observer` outlives the call.
  EvaluateCall(EvaluateJob job, std::shared_ptr<CallControl> control,
               std::shared_ptr<EvaluateSink> sink, const ModelFacts& facts,
               std::shared_ptr<const Tokenizer> tokenizer, EngineObserver* observer);

  // Prompts whose unedited logits are needed for KL: those of edited arms, if scores are asked for.
  // Ascending.
  static std::vector<int> ReferencePrompts(const EvaluateJob& job);

  std::unique_ptr<Row> NextRow() override;
  int64_t RowsLeft() const override { return rows_left_; }
  void OnStep(absl::Span<Row* const> rows) override;
  absl::Status OnPromptLogits(Row& row, absl::Span<const float> logits) override;
  absl::StatusOr<bool> OnToken(Row& row) override;
  absl::Status OnRowDone(Row& row) override;
  bool FinishIfComplete() override;
  void Fail(const absl::Status& status) override;

 private:
  // What a running row has shown so far.
  struct RowState {
    explicit RowState(std::shared_ptr<const Tokenizer> tokenizer) : decoder(std::move(tokenizer)) {}
    StreamDecoder decoder;
    RowOutcome outcome;
  };
  struct ArmState {
    ReceiptCounts receipt;
    size_t done = 0;
  };
  void EndArm(int arm);
  // Reads the outcome off the text; true once it is certain (or `complete`).
  bool Judge(RowState& state, bool complete);

  EvaluateJob job_;
  std::shared_ptr<EvaluateSink> sink_;
  const ModelFacts& facts_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  EngineObserver* observer_;
  std::vector<int> references_;
  size_t next_reference_ = 0;
  std::map<int, std::vector<float>> reference_logits_;  // by prompt
  size_t next_arm_ = 0, next_in_arm_ = 0;
  bool empty_arms_ended_ = false;
  std::vector<ArmState> arms_;
  std::map<const Row*, RowState> states_;
  ReceiptCounts total_;
  ProgressGate gate_;
  int64_t rows_done_ = 0, rows_total_ = 0, rows_left_ = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_EVALUATE_CALL_H_
