// Generate in the engine. Engine thread only.
#ifndef STEER_SERVER_ENGINE_GENERATE_CALL_H_
#define STEER_SERVER_ENGINE_GENERATE_CALL_H_

#include <memory>

#include "server/engine/call.h"
#include "server/engine/engine.h"

namespace steer {

class GenerateCall : public EngineCall {
 public:
  GenerateCall(GenerateJob job, std::shared_ptr<CallControl> control,
               std::shared_ptr<GenerateSink> sink, const ModelFacts& facts,
               std::shared_ptr<const Tokenizer> tokenizer);
  bool Generates() const override { return true; }
  std::unique_ptr<Row> NextRow() override;
  int64_t RowsLeft() const override { return issued_ ? 0 : 1; }
  void OnStep(absl::Span<Row* const> rows) override { ++result_.receipt.steps; }
  absl::StatusOr<bool> OnToken(Row& row) override;
  absl::Status OnRowDone(Row& row) override;
  bool FinishIfComplete() override;
  void Fail(const absl::Status& status) override;

 private:
  void SendText();
  GenerateJob job_;
  std::shared_ptr<GenerateSink> sink_;
  const ModelFacts& facts_;
  StreamDecoder decoder_;
  size_t sent_ = 0;
  bool issued_ = false;
  bool done_ = false;
  GenerateResult result_;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_GENERATE_CALL_H_
