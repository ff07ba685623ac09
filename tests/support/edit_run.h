// Runs one row under an intervention straight through the decoder: prompt in pieces, then greedy steps. What the engine does for a
// batch, in the few lines that a test can trust. One thread, inside c10::InferenceMode.
#ifndef STEER_TESTS_SUPPORT_EDIT_RUN_H_
#define STEER_TESTS_SUPPORT_EDIT_RUN_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "server/model/decoder.h"
#include "server/steering/edit_table.h"

namespace steer {

using EditKernel = int64_t (*)(int, EditTarget, absl::Span<const EditEntry* const>, at::Tensor&,
                               absl::Span<EditTally>);

// Applies one entry a token, `times` times over, and keeps the stream at every site.
class EntriesHook : public SiteHook {
 public:
  explicit EntriesHook(std::vector<const EditEntry*> entries, EditKernel kernel = &ApplyEditsCpu,
                       int times = 1)
      : tallies(entries.size()), entries_(std::move(entries)), kernel_(kernel), times_(times) {}
  bool WantsWrite(int) const override { return true; }
  void OnWrite(int site, at::Tensor& write) override { Apply(site, EditTarget::kWrite, write); }
  void OnStream(int site, at::Tensor& x) override {
    Apply(site, EditTarget::kStream, x);
    streams.push_back(x.clone());
  }
  std::vector<EditTally> tallies;   // by token
  std::vector<at::Tensor> streams;  // by site, [T, hidden]

 private:
  void Apply(int site, EditTarget target, at::Tensor& x) {
    for (int i = 0; i < times_; ++i) {
      kernel_(site, target, entries_, x, absl::MakeSpan(tallies));
    }
  }
  const std::vector<const EditEntry*> entries_;
  const EditKernel kernel_;
  const int times_;
};

struct EditRun {
  // Of the prompt and the generated tokens that were fed back, in order of position.
  std::vector<at::Tensor> streams;  // by site, [tokens, hidden], the model's type
  at::Tensor logits;                // [tokens, vocabulary]
  std::vector<EditTally> tallies;   // by token
  std::vector<int32_t> greedy;
};

struct EditRunOptions {
  int32_t piece = 0;       // prompt tokens a step; 0: all in one
  int32_t new_tokens = 8;  // the last is not fed back
  EditKernel kernel = &ApplyEditsCpu;
  int times = 1;
  // Instead of the row's own choice: tokens to feed back, new_tokens - 1 of them.
  std::vector<int32_t> forced;
};

EditRun RunEdited(Decoder& decoder, const CompiledIntervention& edits,
                  const std::vector<int32_t>& prompt, const EditRunOptions& options = {});

// |a - b| / |b| of each row of `a` [rows, n] against `b` row-major, the largest. A row of zeros is near only to itself.
double WorstRow(const at::Tensor& a, const float* b);
// |<x, r>| / |x| over the rows of `x` [rows, n] and the rows of `basis`, the largest norm of the projection; in float64.
double LargestShare(const at::Tensor& x, const std::vector<std::vector<double>>& basis);

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_EDIT_RUN_H_
