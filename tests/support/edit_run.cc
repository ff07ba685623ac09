#include "tests/support/edit_run.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace steer {
namespace {

class Runner {
 public:
  Runner(Decoder& decoder, const CompiledIntervention& edits, int64_t prompt_tokens,
         const EditRunOptions& options)
      : decoder_(decoder), edits_(edits), prompt_tokens_(prompt_tokens), options_(options) {}

  void Step(absl::Span<const int32_t> ids) {
    const auto count = static_cast<int32_t>(ids.size());
    std::vector<const EditEntry*> entries;
    for (int32_t i = 0; i < count; ++i) {
      entries.push_back(edits_.EntryFor(context_ + i, prompt_tokens_));
    }
    EntriesHook hook(std::move(entries), options_.kernel, options_.times);
    const StepRow row{0, context_, 0, count};
    const at::Tensor x = decoder_.Forward({ids, absl::MakeConstSpan(&row, 1)}, &hook);
    logits_.push_back(decoder_.Logits(x));
    if (streams_.empty()) streams_.resize(hook.streams.size());
    for (size_t site = 0; site < streams_.size(); ++site) {
      streams_[site].push_back(hook.streams[site]);
    }
    run_.tallies.insert(run_.tallies.end(), hook.tallies.begin(), hook.tallies.end());
    context_ += count;
  }

  int32_t Best() const {
    const at::Tensor& last = logits_.back();
    return static_cast<int32_t>(last.select(0, last.size(0) - 1).argmax().item<int64_t>());
  }

  EditRun Finish(std::vector<int32_t> greedy) {
    for (const auto& parts : streams_) run_.streams.push_back(at::cat(parts));
    run_.logits = at::cat(logits_);
    run_.greedy = std::move(greedy);
    return std::move(run_);
  }

 private:
  Decoder& decoder_;
  const CompiledIntervention& edits_;
  const int64_t prompt_tokens_;
  const EditRunOptions& options_;
  int32_t context_ = 0;
  std::vector<std::vector<at::Tensor>> streams_;
  std::vector<at::Tensor> logits_;
  EditRun run_;
};

}  // namespace

EditRun RunEdited(Decoder& decoder, const CompiledIntervention& edits,
                  const std::vector<int32_t>& prompt, const EditRunOptions& options) {
  Runner runner(decoder, edits, static_cast<int64_t>(prompt.size()), options);
  const size_t piece = options.piece == 0 ? prompt.size() : static_cast<size_t>(options.piece);
  for (size_t from = 0; from < prompt.size(); from += piece) {
    runner.Step(absl::MakeConstSpan(prompt).subspan(from, piece));
  }
  std::vector<int32_t> greedy;
  while (static_cast<int32_t>(greedy.size()) < options.new_tokens) {
    greedy.push_back(runner.Best());
    if (static_cast<int32_t>(greedy.size()) == options.new_tokens) break;
    const size_t index = greedy.size() - 1;
    const int32_t next = index < options.forced.size() ? options.forced[index] : greedy.back();
    runner.Step(absl::MakeConstSpan(&next, 1));
  }
  return runner.Finish(std::move(greedy));
}

double WorstRow(const at::Tensor& a, const float* b) {
  const at::Tensor x = a.to(at::kFloat).contiguous();
  double worst = 0;
  for (int64_t row = 0; row < x.size(0); ++row) {
    double difference = 0, norm = 0;
    for (int64_t j = 0; j < x.size(1); ++j) {
      const double wanted = b[row * x.size(1) + j];
      difference += std::pow(x.const_data_ptr<float>()[row * x.size(1) + j] - wanted, 2);
      norm += wanted * wanted;
    }
    const double share = norm > 0          ? std::sqrt(difference / norm)
                         : difference == 0 ? 0
                                           : std::numeric_limits<double>::infinity();
    if (std::isnan(share)) return share;
    worst = std::max(worst, share);
  }
  return worst;
}

double LargestShare(const at::Tensor& x, const std::vector<std::vector<double>>& basis) {
  const at::Tensor rows = x.to(at::kFloat).contiguous();
  double largest = 0;
  for (int64_t row = 0; row < rows.size(0); ++row) {
    const float* values = rows.const_data_ptr<float>() + row * rows.size(1);
    double squares = 0, inside = 0;
    for (int64_t j = 0; j < rows.size(1); ++j) squares += double{values[j]} * values[j];
    for (const std::vector<double>& unit : basis) {
      double along = 0;
      for (int64_t j = 0; j < rows.size(1); ++j) along += unit[static_cast<size_t>(j)] * values[j];
      inside += along * along;
    }
    const double share = inside > 0 ? std::sqrt(inside / squares) : inside;
    if (std::isnan(share)) return share;
    largest = std::max(largest, share);
  }
  return largest;
}

}  // namespace steer
