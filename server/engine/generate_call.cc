#include "server/engine/generate_call.h"

#include <algorithm>
#include <utility>

#include "server/engine/receipt.h"

namespace steer {

GenerateCall::GenerateCall(GenerateJob job, std::shared_ptr<CallControl> control,
                           std::shared_ptr<GenerateSink> sink, const ModelFacts& facts,
                           std::shared_ptr<const Tokenizer> tokenizer)
    : EngineCall(std::move(control)),
      job_(std::move(job)),
      sink_(std::move(sink)),
      facts_(facts),
      decoder_(std::move(tokenizer)) {
  DescribeIntervention(job_.intervention.get(), &result_.receipt);
}

std::unique_ptr<Row> GenerateCall::NextRow() {
  if (issued_) return nullptr;
  issued_ = true;
  auto row = std::make_unique<Row>();
  row->call = this;
  row->kind = RowKind::kGenerate;
  row->prompt_ids = &job_.prompt.ids;
  row->intervention = job_.intervention;
  row->decode = job_.decode;
  return row;
}

void GenerateCall::SendText() {
  if (decoder_.text().size() == sent_) return;
  std::string text = decoder_.text().substr(sent_);
  sent_ = decoder_.text().size();
  sink_->OnText(std::move(text));
}

absl::StatusOr<bool> GenerateCall::OnToken(Row& row) {
  int32_t id = row.generated.back();
  bool ended = std::binary_search(facts_.end_of_turn.begin(), facts_.end_of_turn.end(), id);
  if (!ended) decoder_.Push(id);
  bool full = static_cast<int32_t>(row.generated.size()) >= job_.decode.max_new_tokens;
  if (ended || full) {
    decoder_.Finish();
    row.finish = ended ? FinishReason::kEndOfTurn : FinishReason::kLength;
    result_.finish = row.finish;
  }
  SendText();
  return !ended && !full;
}

absl::Status GenerateCall::OnRowDone(Row& row) {
  AddRow(row, &result_.receipt);
  result_.prompt_tokens = row.prompt_tokens();
  result_.generated_tokens = static_cast<int64_t>(row.generated.size());
  result_.token_digest = TokenDigest(row.generated);
  done_ = true;
  return absl::OkStatus();
}

bool GenerateCall::FinishIfComplete() {
  if (!done_) return false;
  job_.leases.clear();  // as in EvaluateCall
  sink_->OnDone(std::move(result_));
  return true;
}

void GenerateCall::Fail(const absl::Status& status) {
  job_.leases.clear();
  sink_->OnDone(status);
}

}  // namespace steer
