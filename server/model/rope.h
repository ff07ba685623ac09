// Rotary position tables (Su et al. 2021, arXiv:2104.09864), with Llama 3's and linear frequency
// scaling, in float32 as transformers has it.
#ifndef STEER_SERVER_MODEL_ROPE_H_
#define STEER_SERVER_MODEL_ROPE_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "server/model/model_config.h"

namespace steer {

struct RopeTable {
  at::Tensor cosine;  // [positions, head_dim / 2], float32
  at::Tensor sine;
};

// Radians per position of each pair of coordinates, [head_dim / 2].
std::vector<float> RopeFrequencies(const RopeConfig& config, int64_t head_dim);

RopeTable MakeRopeTable(const RopeConfig& config, int64_t head_dim, int64_t positions,
                        at::Device device);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_ROPE_H_
