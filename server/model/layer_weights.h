// The decoder's weights on their device, in its type, fused where two products share an input.
// Loaded once, then read by the engine thread.
#ifndef STEER_SERVER_MODEL_LAYER_WEIGHTS_H_
#define STEER_SERVER_MODEL_LAYER_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "server/model/linear.h"
#include "server/model/model_config.h"
#include "server/weights/checkpoint.h"

namespace steer {

// RMSNorm gains are float32 whatever the model's type (exact, since a checkpoint's gain is rounded
// to that type first); with norm_unit_offset they hold 1 + w.
struct LayerWeights {
  at::Tensor input_norm;           // [hidden]
  at::Tensor post_attention_norm;  // [hidden], undefined without post_norms
  at::Tensor mlp_norm;             // [hidden]
  at::Tensor post_mlp_norm;        // [hidden], undefined without post_norms
  at::Tensor q_norm, k_norm;       // [head_dim], undefined without qk_norm
  Linear qkv;                      // queries, keys, values
  Linear output;
  Linear gate_up;  // gate, then up
  Linear down;
};

struct ModelWeights {
  // [vocabulary, hidden], in the model's type or in a narrower one that the checkpoint stores.
  at::Tensor embedding;
  at::Tensor final_norm;
  Linear head;
  std::vector<LayerWeights> layers;
  int64_t parameters = 0;  // of the checkpoint, a tied head counted once
};

// The tensors must have passed CheckTensors. Needs the memory of the model and of its largest
// tensor once more. INVALID_ARGUMENT names the file, the tensor and the index of a weight that is
// not finite, or is not in `type`. Throws c10::Error.
absl::StatusOr<ModelWeights> LoadWeights(const ModelConfig& config, const Checkpoint& checkpoint,
                                         at::ScalarType type, at::Device device);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_LAYER_WEIGHTS_H_
