// What the families' config.json files share. No torch.
#ifndef STEER_SERVER_MODEL_FAMILIES_COMMON_KEYS_H_
#define STEER_SERVER_MODEL_FAMILIES_COMMON_KEYS_H_

#include <cstdint>

#include "absl/types/optional.h"
#include "server/model/config_reader.h"
#include "server/model/model_config.h"

namespace steer {

// Sizes, epsilon and context, with ranges that no real model leaves and no hostile one can turn
// into a huge allocation. `head_dim` is what an absent key means; without it hidden / heads.
// layer[] gets its length.
void ReadSizes(ConfigReader& reader, absl::optional<int64_t> head_dim, ModelConfig& config);

// The activation under `key`: "silu" or "gelu_pytorch_tanh".
void ReadActivation(ConfigReader& reader, absl::string_view key, Activation wanted,
                    ModelConfig& config);

// Both spellings: "rope_theta" with "rope_scaling", and transformers 5's "rope_parameters". Claims
// all three.
RopeConfig ReadRope(ConfigReader& reader, double default_theta);
// One object of the kind that "rope_parameters" and "rope_scaling" hold; `theta` where it names
// none.
RopeConfig ReadRopeObject(const Json& object, const std::string& prefix, double theta,
                          std::vector<std::string>* problems);

// "sliding_window": 4096 if the key is absent, as in transformers; no value if it is null.
absl::optional<int64_t> ReadWindow(ConfigReader& reader);

// "layer_types" -> true where a layer slides. Empty if the key is absent.
std::vector<bool> ReadLayerTypes(ConfigReader& reader, const ModelConfig& config);

// Qwen's rule: windows only if "use_sliding_window" and a window is given, from layer
// "max_window_layers" on unless "layer_types" says which.
void ReadQwenWindows(ConfigReader& reader, ModelConfig& config);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_FAMILIES_COMMON_KEYS_H_
