#include "server/model/step_layout.h"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

namespace steer {
namespace {

at::Tensor Indices(const std::vector<TokenPlace>& places, at::Device device,
                   int64_t (*value)(const TokenPlace&)) {
  at::Tensor host = at::empty({static_cast<int64_t>(places.size())}, at::kLong);
  int64_t* out = host.data_ptr<int64_t>();
  for (const TokenPlace& place : places) *out++ = value(place);
  return host.to(device);
}

}  // namespace

StepLayout MakeStepLayout(const Step& step, int64_t vocabulary, int64_t positions,
                          int64_t kv_tokens, at::Device device) {
  StepLayout layout;
  layout.tokens = static_cast<int64_t>(step.ids.size());
  TORCH_CHECK(layout.tokens > 0, "a step without tokens");
  for (int32_t id : step.ids) {
    TORCH_CHECK(id >= 0 && id < vocabulary, "token id ", id, " is outside the vocabulary");
  }
  std::vector<const StepRow*> row_of(step.ids.size(), nullptr);
  for (const StepRow& row : step.rows) {
    const int64_t length = int64_t{row.context} + row.tokens;
    TORCH_CHECK(row.tokens >= 0 && row.context >= 0 && length <= positions,
                "a row's positions leave the ", positions, " that are prepared");
    TORCH_CHECK(row.kv_begin >= 0 && row.kv_begin <= kv_tokens - length,
                "a row's keys leave the arena of ", kv_tokens, " tokens");
    TORCH_CHECK(row.first_token >= 0 && int64_t{row.first_token} + row.tokens <= layout.tokens,
                "a row's tokens leave the step");
    for (int32_t i = 0; i < row.tokens; ++i) {
      const StepRow*& owner = row_of[static_cast<size_t>(row.first_token + i)];
      TORCH_CHECK(owner == nullptr, "two rows share token ", row.first_token + i);
      owner = &row;
    }
  }
  for (int64_t token = 0; token < layout.tokens; ++token) {
    const StepRow* row = row_of[static_cast<size_t>(token)];
    if (row == nullptr) continue;
    layout.places.push_back({token, row->context + token - row->first_token, row->kv_begin});
  }
  if (!device.is_cpu()) {
    layout.token_index =
        Indices(layout.places, device, [](const TokenPlace& place) { return place.token; });
    layout.position_index =
        Indices(layout.places, device, [](const TokenPlace& place) { return place.position; });
    layout.slot_index =
        Indices(layout.places, device, [](const TokenPlace& place) { return place.slot(); });
  }
  return layout;
}

}  // namespace steer
