// Which tensors a checkpoint of a given configuration must hold, under which names and shapes, and
// whether it does. No torch.
#ifndef STEER_SERVER_MODEL_TENSOR_PLAN_H_
#define STEER_SERVER_MODEL_TENSOR_PLAN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/model/model_config.h"
#include "server/weights/safetensors.h"

namespace steer {

// "model.layers.<layer>.<part>"
std::string LayerTensor(int64_t layer, const std::string& part);

// Name -> shape of every tensor that the decoder reads.
std::map<std::string, std::vector<int64_t>> TensorPlan(const ModelConfig& config);

// OK, or INVALID_ARGUMENT naming every missing, unused and misshapen tensor. Two kinds of unused
// tensor are harmless: rotary inv_freq buffers, and a tied lm_head.weight that holds the same bytes
// as the embedding.
absl::Status CheckTensors(const ModelConfig& config,
                          const std::map<std::string, TensorView>& tensors);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_TENSOR_PLAN_H_
