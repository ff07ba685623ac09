#include "server/engine/stepper.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>

#include "common/errors.h"
#include "common/failpoint.h"
#include "server/engine/step_hook.h"

namespace steer {

struct Stepper::Token {
  Row* row;
  int64_t index;  // within the row
  int32_t id;
};

namespace {

// libtorch's exceptions are caught here and nowhere else: what() of c10::Error carries a stack
// trace that helps no client.
template <typename F>
absl::Status Guard(F&& body) {
  c10::InferenceMode no_autograd;
  try {
    body();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& e) {
    return MakeError(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
                     e.what_without_backtrace());
  } catch (const c10::Error& e) {
    return MakeError(absl::StatusCode::kInternal, "ENGINE_FAILED", e.what_without_backtrace());
  } catch (const std::exception& e) {
    return MakeError(absl::StatusCode::kInternal, "ENGINE_FAILED", e.what());
  }
}

// Index into row.states of a captured position, or null.
float* CaptureDestination(Row& row, int64_t index, int64_t sites, int64_t hidden) {
  if (row.capture_positions == nullptr) return nullptr;
  for (size_t p = 0; p < row.capture_positions->size(); ++p) {
    if (row.prompt_tokens() + (*row.capture_positions)[p] != index) continue;
    row.states.resize(row.capture_positions->size() * sites * hidden);
    return row.states.data() + p * sites * hidden;
  }
  return nullptr;
}

}  // namespace

Stepper::Stepper(Decoder* decoder, SchedulerShape shape, bool on_cpu)
    : decoder_(decoder), shape_(shape), on_cpu_(on_cpu) {}

void Stepper::Forward(const std::vector<Token>& tokens, const std::vector<StepRow>& step_rows,
                      int64_t shape, const std::vector<int64_t>& logit_tokens,
                      const std::vector<Row*>& logit_rows, const LogitsReader& reader) {
  const ModelConfig& config = decoder_->config();
  std::vector<int32_t> ids(shape, 0);
  std::vector<const EditEntry*> entries(shape, nullptr);
  std::vector<CaptureRequest> captures;
  for (size_t t = 0; t < tokens.size(); ++t) {
    ids[t] = tokens[t].id;
    entries[t] = tokens[t].row->EntryFor(tokens[t].index);
    float* destination =
        CaptureDestination(*tokens[t].row, tokens[t].index, config.sites(), config.hidden);
    if (destination != nullptr)
      captures.push_back({static_cast<int64_t>(t), destination, &tokens[t].row->captures});
  }
  StepHook hook(config.sites(), config.hidden, on_cpu_, std::move(entries), std::move(captures));
  bool use_hook = hook.active() && !FailpointSkips("engine.skip_step_edits");
  at::Tensor x = decoder_->Forward({ids, step_rows}, use_hook ? &hook : nullptr);
  for (size_t t = 0; t < tokens.size(); ++t) tokens[t].row->tally.Add(hook.tallies()[t]);

  // The head always sees R rows, so that its products have one shape.
  int64_t r = shape_.decode_rows;
  for (size_t begin = 0; begin < logit_tokens.size(); begin += r) {
    size_t count = std::min<size_t>(r, logit_tokens.size() - begin);
    std::vector<int64_t> picked(logit_tokens.begin() + begin, logit_tokens.begin() + begin + count);
    picked.resize(r, picked.front());
    at::Tensor last = at::index_select(x, 0, at::tensor(picked, at::kLong).to(x.device()));
    at::Tensor logits = decoder_->Logits(last).to(at::kCPU).contiguous();
    const float* data = logits.const_data_ptr<float>();
    for (size_t i = 0; i < count; ++i) {
      reader(logit_rows[begin + i],
             absl::MakeConstSpan(data + i * config.vocabulary, config.vocabulary));
    }
  }
}

absl::Status Stepper::Prefill(absl::Span<const PrefillPiece> pieces, const LogitsReader& reader) {
  return Guard([&] {
    std::vector<Token> tokens;
    std::vector<StepRow> step_rows;
    std::vector<int64_t> logit_tokens;
    std::vector<Row*> logit_rows;
    for (const PrefillPiece& piece : pieces) {
      Row* row = piece.row;
      step_rows.push_back({row->kv_begin, static_cast<int32_t>(row->context),
                           static_cast<int32_t>(tokens.size()), piece.count});
      for (int32_t i = 0; i < piece.count; ++i) {
        tokens.push_back({row, row->context + i, (*row->prompt_ids)[row->context + i]});
      }
      row->context += piece.count;
      if (row->prompt_done() && (row->wants_prompt_logits || row->decode.max_new_tokens > 0)) {
        logit_tokens.push_back(static_cast<int64_t>(tokens.size()) - 1);
        logit_rows.push_back(row);
      }
    }
    Forward(tokens, step_rows, shape_.prefill_tokens, logit_tokens, logit_rows, reader);
  });
}

absl::Status Stepper::Decode(absl::Span<Row* const> rows, const LogitsReader& reader) {
  return Guard([&] {
    std::vector<Token> tokens;
    std::vector<StepRow> step_rows;
    std::vector<int64_t> logit_tokens;
    for (Row* row : rows) {
      step_rows.push_back({row->kv_begin, static_cast<int32_t>(row->context),
                           static_cast<int32_t>(tokens.size()), 1});
      logit_tokens.push_back(static_cast<int64_t>(tokens.size()));
      tokens.push_back({row, row->context, row->generated.back()});
      ++row->context;
    }
    Forward(tokens, step_rows, shape_.decode_rows, logit_tokens,
            std::vector<Row*>(rows.begin(), rows.end()), reader);
  });
}

absl::Status Stepper::WarmUp(bool prefill) {
  return Guard([&] {
    std::vector<int32_t> ids(prefill ? shape_.prefill_tokens : shape_.decode_rows, 0);
    at::Tensor x = decoder_->Forward({ids, {}}, nullptr);
    if (!prefill) decoder_->Logits(x).to(at::kCPU);
  });
}

}  // namespace steer
