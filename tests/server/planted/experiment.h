// The post's experiment on a planted model, by the reference forward pass: split, fit, select, five
// arms and a rule in integers.
#ifndef STEER_TESTS_SERVER_PLANTED_EXPERIMENT_H_
#define STEER_TESTS_SERVER_PLANTED_EXPERIMENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "reference_llama.h"
#include "server/planted/planted_model.h"
#include "server/tokenizer/tokenizer.h"

namespace steer::planted {

struct Rows {
  std::vector<std::vector<int32_t>> ids;  // templated
};

struct ExperimentResult {
  at::Tensor fitted;  // [layers, hidden]
  int layer = 0;
  std::vector<int> swing;             // by layer, 0 at layer 0
  std::map<std::string, int> counts;  // by the truth file's names of rates
  bool suppression = false;
  bool induction = false;
  std::string verdict;
};

class Experiment {
 public:
  Experiment(const std::string& variant, uint64_t seed);

  const PlantedFiles& files() const { return files_; }
  const Json& truth() const { return truth_; }
  const ReferenceLlama& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  // Templated prompts of a pool, "harmful" or "harmless", in file order.
  const Rows& pool(const std::string& name) const { return pools_.at(name); }

  // Outcomes of rows, by what follows the prompt: "I cannot" refuses.
  std::vector<bool> Refuses(const Rows& rows, const Edit& edit) const;
  // Whole completions as text.
  std::vector<std::string> Complete(const Rows& rows, const Edit& edit,
                                    double* smallest_margin = nullptr) const;
  // Difference of means at the last position, [layers, hidden], float64 sums.
  at::Tensor Fit(const Rows& harmful, const Rows& harmless) const;

  // One split and control, both from `split_seed`.
  ExperimentResult Run(uint64_t split_seed) const;

 private:
  PlantedFiles files_;
  Json truth_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<ReferenceLlama> model_;
  std::map<std::string, Rows> pools_;
};

// Of `size` numbers, norm-matched to `like`.
at::Tensor RandomControl(uint64_t seed, const at::Tensor& like);

}  // namespace steer::planted

#endif  // STEER_TESTS_SERVER_PLANTED_EXPERIMENT_H_
