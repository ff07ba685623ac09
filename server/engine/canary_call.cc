#include "server/engine/canary_call.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/errors.h"
#include "common/failpoint.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr int kPromptTokens = 8;
constexpr int kNewTokens = 2;

absl::Status Mismatch() {
  return MakeError(absl::StatusCode::kInternal, "CANARY_MISMATCH",
                   "a fixed row no longer has the bits that it had at the start; the device, its "
                   "memory or the process is damaged");
}

}  // namespace

CanaryCall::CanaryCall(int64_t vocabulary, CanaryReference* reference,
                       std::function<void(const absl::Status&)> done)
    : EngineCall(std::make_shared<CallControl>()), reference_(reference), done_(std::move(done)) {
  for (int i = 0; i < kPromptTokens; ++i) {
    ids_.push_back(static_cast<int32_t>((vocabulary / kPromptTokens * i + i) % vocabulary));
  }
}

std::unique_ptr<Row> CanaryCall::NextRow() {
  if (issued_) return nullptr;
  issued_ = true;
  auto row = std::make_unique<Row>();
  row->call = this;
  row->kind = RowKind::kReference;
  row->counted = false;
  row->prompt_ids = &ids_;
  row->decode.max_new_tokens = kNewTokens;
  row->wants_prompt_logits = true;
  return row;
}

absl::Status CanaryCall::OnPromptLogits(Row&, absl::Span<const float> logits) {
  STEER_RETURN_IF_ERROR(Failpoint("engine.canary"));
  if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) {
    return MakeError(absl::StatusCode::kInternal, "CANARY_NON_FINITE",
                     "a fixed row's logits are not finite");
  }
  if (reference_->logits.empty()) {
    reference_->logits.assign(logits.begin(), logits.end());
    return absl::OkStatus();
  }
  const bool same =
      logits.size() == reference_->logits.size() &&
      std::memcmp(logits.data(), reference_->logits.data(), logits.size() * sizeof(float)) == 0;
  return same ? absl::OkStatus() : Mismatch();
}

absl::StatusOr<bool> CanaryCall::OnToken(Row& row) {
  return static_cast<int>(row.generated.size()) < kNewTokens;
}

absl::Status CanaryCall::OnRowDone(Row& row) {
  if (reference_->generated.empty()) reference_->generated = row.generated;
  if (row.generated != reference_->generated) return Mismatch();
  ended_ = true;
  return absl::OkStatus();
}

bool CanaryCall::FinishIfComplete() {
  if (!ended_) return false;
  done_(absl::OkStatus());
  return true;
}

}  // namespace steer
