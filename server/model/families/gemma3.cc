#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/model/families/common_keys.h"
#include "server/model/families/families.h"

namespace steer {
namespace {

constexpr int kFullRope = 0;
constexpr int kSlidingRope = 1;

// Two tables: {full, sliding}. Older files give rope_theta, rope_local_base_freq and a rope_scaling
// that holds for the full layers only.
std::vector<RopeConfig> ReadRopes(ConfigReader& reader) {
  const double full_theta = reader.Number("rope_theta", 1, 1e12, 1e6);
  const double sliding_theta = reader.Number("rope_local_base_freq", 1, 1e12, 1e4);
  std::vector<RopeConfig> ropes(2);
  ropes[kFullRope].theta = full_theta;
  ropes[kSlidingRope].theta = sliding_theta;
  const Json* scaling = reader.Object("rope_scaling");
  const Json* parameters = reader.Object("rope_parameters");
  if (scaling != nullptr) {
    ropes[kFullRope] = ReadRopeObject(*scaling, "rope_scaling.", full_theta, reader.problems());
  }
  if (parameters == nullptr) return ropes;
  for (absl::string_view old : {"rope_scaling", "rope_theta", "rope_local_base_freq"}) {
    if (reader.Has(old)) reader.Problem(old, "stands beside rope_parameters");
  }
  ConfigReader inner(*parameters, "rope_parameters.", reader.problems());
  if (const Json* full = inner.Object("full_attention")) {
    ropes[kFullRope] =
        ReadRopeObject(*full, "rope_parameters.full_attention.", full_theta, reader.problems());
  }
  if (const Json* sliding = inner.Object("sliding_attention")) {
    ropes[kSlidingRope] = ReadRopeObject(*sliding, "rope_parameters.sliding_attention.",
                                         sliding_theta, reader.problems());
  }
  inner.RefuseTheRest();
  return ropes;
}

// Five sliding layers, then a full one, unless "layer_types" or the pattern says otherwise.
// transformers writes "_sliding_window_pattern" beside layer_types and never reads it.
std::vector<bool> ReadSliding(ConfigReader& reader, const ModelConfig& config) {
  const int64_t pattern = reader.Int("sliding_window_pattern", 1, 1024, 6);
  std::vector<bool> slides = ReadLayerTypes(reader, config);
  if (!slides.empty()) return slides;
  for (int64_t i = 0; i < config.layers; ++i) slides.push_back((i + 1) % pattern != 0);
  return slides;
}

}  // namespace

void ReadGemma3(ConfigReader& reader, ModelConfig& config) {
  ReadSizes(reader, 256, config);
  ReadActivation(reader, "hidden_activation", Activation::kGeluTanh, config);
  // Some files repeat the activation under the other families' key.
  ReadActivation(reader, "hidden_act", Activation::kGeluTanh, config);
  config.qkv_bias = config.output_bias = reader.Bool("attention_bias", false);
  config.norm_unit_offset = true;
  config.post_norms = true;
  config.qk_norm = true;
  config.tied_head = reader.Bool("tie_word_embeddings", true);
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden));
  config.attention_scale = 1 / std::sqrt(reader.Number("query_pre_attn_scalar", 1e-3, 1e6, 256));
  config.final_logit_softcap = reader.Number("final_logit_softcapping", 1e-3, 1e6, 0);
  if (reader.Has("attn_logit_softcapping")) {
    // transformers keeps the number and never applies it (5.17), so no reference says what it does.
    reader.Problem("attn_logit_softcapping", "only null is built here for this family");
  }
  reader.Ignore({"attn_logit_softcapping"});
  config.ropes = ReadRopes(reader);
  const absl::optional<int64_t> window = ReadWindow(reader);
  const std::vector<bool> slides = ReadSliding(reader, config);
  for (size_t i = 0; i < config.layer.size(); ++i) {
    if (slides[i] && !window.has_value()) {
      reader.Problem("sliding_window", "is null although layers slide");
      break;
    }
    config.layer[i].window = slides[i] ? *window : 0;
    config.layer[i].rope = slides[i] ? kSlidingRope : kFullRope;
  }
  reader.RequireFalse("use_bidirectional_attention");
}

}  // namespace steer
