// Checks of edits on a live checkpoint. Each prints its figures and counts what does not hold. One thread, inside c10::InferenceMode.
#ifndef STEER_TESTS_PARITY_EDITS_CHECKS_H_
#define STEER_TESTS_PARITY_EDITS_CHECKS_H_

#include <string>
#include <vector>

#include "server/model/decoder.h"
#include "tests/support/edit_golden.h"
#include "tests/support/edit_run.h"

namespace steer {

class EditChecks {
 public:
  EditChecks(Decoder* decoder, bool is_float32) : decoder_(*decoder), is_float32_(is_float32) {}

  // Every case against transformers' hooks, prompt tokens in pieces of `piece` (0: one). float32: states and logits within 2e-5 |b|, the
  // same tokens save where transformers' own margin is below 1e-3.
  void Hooks(const EditGolden& golden, int32_t piece);
  // Ablation against orthogonalised weights, where the file has them.
  void Weights(const EditGolden& golden);
  // Zero edits, mixed batches, what an ablation leaves, reflection twice, affine targets, what an addition reaches.
  void Exact(const EditGolden& golden);

  int failures() const { return failures_; }

 private:
  void Expect(bool holds, const std::string& what);
  EditRun Run(const EditGolden& golden, const CompiledIntervention& edits, EditRunOptions options);
  CompiledIntervention Compile(const EditGolden& golden, OpKind kind, double amount,
                               EditTarget target, int count, std::vector<int> sites = {},
                               TokenScope scope = TokenScope::kAll);
  void ZeroEdit(const EditGolden& golden, const EditRun& plain);
  void MixedBatch(const EditGolden& golden);
  void Leftover(const EditGolden& golden);
  void ReflectionAndTarget(const EditGolden& golden, const EditRun& plain);
  void Reach(const EditGolden& golden, const EditRun& plain);

  Decoder& decoder_;
  const bool is_float32_;
  int failures_ = 0;
};

}  // namespace steer

#endif  // STEER_TESTS_PARITY_EDITS_CHECKS_H_
