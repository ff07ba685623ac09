#include "server/engine/stepper.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <algorithm>
#include <limits>

#include "common/errors.h"
#include "common/failpoint.h"
#include "server/engine/step_guard.h"
#include "server/engine/step_hook.h"

namespace steer {

struct Stepper::Token {
  Row* row;
  int64_t index;  // within the row
  int32_t id;
};

// One forward pass: what goes in, and what has come out once Compute succeeded.
struct Stepper::Batch {
  absl::Span<const PrefillPiece> pieces;
  std::vector<Token> tokens;
  std::vector<StepRow> step_rows;
  std::vector<int64_t> logit_tokens;
  std::vector<Row*> logit_rows;
  at::Tensor x;
  std::vector<EditTally> tallies;  // by token
  std::vector<int64_t> captures;   // by piece
};

namespace {

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

Stepper::Stepper(Decoder* decoder, SchedulerShape shape, bool on_cpu, EngineObserver* observer)
    : decoder_(decoder), shape_(shape), on_cpu_(on_cpu), observer_(observer) {}

absl::Status Stepper::Compute(Batch* batch, int64_t shape) {
  return GuardStep([&] {
    ThrowFailpoints(batch->pieces.size());
    if (fault_) fault_(batch->pieces.size());
    const ModelConfig& config = decoder_->config();
    batch->captures.assign(batch->pieces.size(), 0);
    for (size_t p = 0; p < batch->pieces.size(); ++p) {
      const auto& [row, count] = batch->pieces[p];
      batch->step_rows.push_back({row->kv_begin, static_cast<int32_t>(row->context),
                                  static_cast<int32_t>(batch->tokens.size()), count});
      for (int64_t i = row->context; i < row->context + count; ++i) {
        const bool prompt = i < row->prompt_tokens();
        batch->tokens.push_back({row, i, prompt ? (*row->prompt_ids)[i] : row->generated.back()});
      }
      if (row->context + count >= row->prompt_tokens() &&
          (row->wants_prompt_logits || row->decode.max_new_tokens > 0)) {
        batch->logit_tokens.push_back(static_cast<int64_t>(batch->tokens.size()) - 1);
        batch->logit_rows.push_back(row);
      }
    }
    std::vector<int32_t> ids(shape, 0);
    std::vector<const EditEntry*> entries(shape, nullptr);
    std::vector<CaptureRequest> captures;
    size_t piece = 0;
    for (size_t t = 0; t < batch->tokens.size(); ++t) {
      const Token& token = batch->tokens[t];
      while (batch->pieces[piece].row != token.row) ++piece;
      ids[t] = token.id;
      entries[t] = token.row->EntryFor(token.index);
      float* destination =
          CaptureDestination(*token.row, token.index, config.sites(), config.hidden);
      if (destination != nullptr)
        captures.push_back({static_cast<int64_t>(t), destination, &batch->captures[piece]});
    }
    StepHook hook(config.sites(), config.hidden, on_cpu_, std::move(entries), std::move(captures));
    bool use_hook = hook.active() && !FailpointSkips("engine.skip_step_edits");
    batch->x = decoder_->Forward({ids, batch->step_rows}, use_hook ? &hook : nullptr);
    batch->tallies = hook.tallies();
  });
}

// The rows move on, and their logits are read.
absl::Status Stepper::Finish(Batch& batch, const LogitsReader& reader) {
  for (size_t t = 0; t < batch.tokens.size(); ++t) {
    batch.tokens[t].row->tally.Add(batch.tallies[t]);
  }
  for (size_t p = 0; p < batch.pieces.size(); ++p) {
    batch.pieces[p].row->context += batch.pieces[p].count;
    batch.pieces[p].row->captures += batch.captures[p];
  }
  // The head always sees R rows, so that its products have one shape.
  const int64_t vocabulary = decoder_->config().vocabulary;
  const size_t r = shape_.decode_rows;
  for (size_t begin = 0; begin < batch.logit_tokens.size(); begin += r) {
    const size_t count = std::min(r, batch.logit_tokens.size() - begin);
    at::Tensor logits;
    const auto head = [&] {
      auto first = batch.logit_tokens.begin() + static_cast<int64_t>(begin);
      std::vector<int64_t> picked(first, first + static_cast<int64_t>(count));
      picked.resize(r, picked.front());
      at::Tensor last =
          at::index_select(batch.x, 0, at::tensor(picked, at::kLong).to(batch.x.device()));
      logits = decoder_->Logits(last).to(at::kCPU).contiguous();
    };
    absl::Status status = GuardStep(head);
    if (IsOutOfMemory(status)) {
      EmptyDeviceCache(on_cpu_);
      status = GuardStep(head);
    }
    if (!status.ok()) return status;
    // What a reader throws has left its row half read: the step has failed.
    status = GuardStep([&] {
      if (FailpointSkips("engine.nan_logits")) {
        logits.mutable_data_ptr<float>()[vocabulary - 1] = std::numeric_limits<float>::quiet_NaN();
      }
      const float* data = logits.const_data_ptr<float>();
      for (size_t i = 0; i < count; ++i) {
        reader(batch.logit_rows[begin + i],
               absl::MakeConstSpan(data + static_cast<int64_t>(i) * vocabulary, vocabulary));
      }
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void Stepper::Run(absl::Span<const PrefillPiece> pieces, int64_t shape, const LogitsReader& reader,
                  Failures* failures) {
  absl::Status status;
  for (int attempt = 0; attempt < 2; ++attempt) {
    Batch batch;
    batch.pieces = pieces;
    status = Compute(&batch, shape);
    if (status.ok())
      status = Finish(batch, reader);
    else if (IsOutOfMemory(status)) {
      observer_->OnOutOfMemory();
      batch = Batch();  // before the cache is emptied
      EmptyDeviceCache(on_cpu_);
      continue;
    }
    for (const PrefillPiece& piece : pieces) {
      if (!status.ok()) failures->emplace_back(piece.row, status);
    }
    return;
  }
  if (pieces.size() == 1) {
    failures->emplace_back(pieces[0].row, status);
    return;
  }
  observer_->OnHalved();
  Run(pieces.first(pieces.size() / 2), shape, reader, failures);
  Run(pieces.subspan(pieces.size() / 2), shape, reader, failures);
}

Stepper::Failures Stepper::Prefill(absl::Span<const PrefillPiece> pieces,
                                   const LogitsReader& reader) {
  Failures failures;
  Run(pieces, shape_.prefill_tokens, reader, &failures);
  return failures;
}

Stepper::Failures Stepper::Decode(absl::Span<Row* const> rows, const LogitsReader& reader) {
  Failures failures;
  std::vector<PrefillPiece> pieces;
  for (Row* row : rows) pieces.push_back({row, 1});
  Run(pieces, shape_.decode_rows, reader, &failures);
  return failures;
}

absl::Status Stepper::WarmUp(bool prefill) {
  return GuardStep([&] {
    if (fault_) fault_(0);
    std::vector<int32_t> ids(prefill ? shape_.prefill_tokens : shape_.decode_rows, 0);
    at::Tensor x = decoder_->Forward({ids, {}}, nullptr);
    if (!prefill) decoder_->Logits(x).to(at::kCPU);
  });
}

}  // namespace steer
