// A plain Llama forward pass for these tests, in float32, with the experiment's two edits. It
// shares no code with server/model: whole sequences, no cache, one batch of equally long prompts.
#ifndef STEER_TESTS_SERVER_PLANTED_REFERENCE_LLAMA_H_
#define STEER_TESTS_SERVER_PLANTED_REFERENCE_LLAMA_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/planted/planted_model.h"

namespace steer::planted {

// Nothing, or one direction projected out at every site, or added at one block's input, at all
// positions.
struct Edit {
  at::Tensor ablated;  // [hidden], any length but 0
  at::Tensor added;    // [hidden]
  int layer = 0;       // of `added`
};

class ReferenceLlama {
 public:
  explicit ReferenceLlama(const PlantedFiles& files);

  // Streams at the last position, inputs of blocks 0 .. layers - 1: [layers, batch, hidden]; and
  // logits there, [batch, vocabulary].
  struct Last {
    at::Tensor states;
    at::Tensor logits;
  };
  // `ids` [batch, length] as equally long rows.
  Last Forward(const std::vector<std::vector<int32_t>>& ids, const Edit& edit) const;

  // Greedy continuation of each prompt by at most `count` ids, up to an end-of-turn id (left out).
  // `smallest_margin`, if not null, is lowered to the smallest gap between the two largest logits
  // of any step.
  std::vector<std::vector<int32_t>> Continue(std::vector<std::vector<int32_t>> prompts,
                                             const Edit& edit, int count,
                                             double* smallest_margin = nullptr) const;

 private:
  const at::Tensor& Get(const std::string& name) const { return weights_.at(name); }
  at::Tensor Norm(const at::Tensor& x, const std::string& gain) const;
  at::Tensor Attention(const at::Tensor& x, const std::string& prefix) const;

  std::map<std::string, at::Tensor> weights_;
  int64_t layers_, heads_, kv_heads_, head_dim_;
  double epsilon_, theta_;
  std::vector<int32_t> end_of_turn_;
};

}  // namespace steer::planted

#endif  // STEER_TESTS_SERVER_PLANTED_REFERENCE_LLAMA_H_
