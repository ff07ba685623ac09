// Reference values of edits: what transformers computes under hooks, for the cases that the file itself lists. Made by
// tests/golden/steering (tiny checkpoints) and tests/parity/edits (any checkpoint). No torch.
#ifndef STEER_TESTS_SUPPORT_EDIT_GOLDEN_H_
#define STEER_TESTS_SUPPORT_EDIT_GOLDEN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "server/steering/intervention.h"
#include "server/weights/safetensors.h"

namespace steer {

// Checkpoints of tests/golden/model that have a file in tests/golden/steering. One more joins by its
// name here and in MODELS of make_edits_golden.py.
inline constexpr const char* kEditCheckpoints[] = {
    "llama", "llama_tied", "llama_bias", "qwen2", "qwen3", "qwen2_window", "gemma3", "mistral"};

// Immutable.
class EditGolden {
 public:
  static absl::StatusOr<EditGolden> Open(const std::string& path);
  static EditGolden OfTiny(const std::string& checkpoint);

  const std::vector<std::string>& cases() const { return names_; }
  ModelShape shape() const { return shape_; }
  bool tied() const { return tied_; }              // head and embedding are one matrix
  bool post_norms() const { return post_norms_; }  // norms between a block's output and the stream
  // Positions whose states and logits the file holds, ascending; those at or after the prompt's end
  // are generated tokens.
  const std::vector<int64_t>& kept() const { return kept_; }
  std::vector<int32_t> prompt() const { return Ints("prompt"); }

  // Tensors by name, row-major: "<case>.states" [sites, kept, hidden], "<case>.logits" [kept,
  // vocabulary], "<case>.greedy".
  bool Has(const std::string& name) const { return file_->tensors().count(name) > 0; }
  std::vector<float> Floats(const std::string& name) const;
  std::vector<int32_t> Ints(const std::string& name) const;
  std::vector<float> Direction(int index) const;

  // The product's form of a case.
  absl::StatusOr<CompiledIntervention> Compile(const std::string& name) const;

 private:
  std::shared_ptr<const SafetensorsFile> file_;
  Json cases_;
  std::vector<std::string> names_;
  ModelShape shape_;
  bool tied_ = false, post_norms_ = false;
  std::vector<int64_t> kept_;
};

// Compiles `ops` on vectors that the ops name by component.
absl::StatusOr<CompiledIntervention> CompileOn(const std::vector<std::vector<float>>& vectors,
                                               const std::vector<OpSpec>& ops, ModelShape shape);

// One entry for every token with `edit` at `sites`; no op of the contract is so free.
CompiledIntervention EntryAtSites(std::shared_ptr<const LinearEdit> edit,
                                  const std::vector<int>& sites, EditTarget target,
                                  ModelShape shape);

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_EDIT_GOLDEN_H_
