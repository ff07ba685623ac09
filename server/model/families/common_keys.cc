#include "server/model/families/common_keys.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace steer {

void ReadSizes(ConfigReader& reader, absl::optional<int64_t> head_dim, ModelConfig& config) {
  config.hidden = reader.Int("hidden_size", 1, 65536);
  config.layers = reader.Int("num_hidden_layers", 1, 1024);
  config.heads = reader.Int("num_attention_heads", 1, 1024);
  config.kv_heads = reader.Int("num_key_value_heads", 1, 1024, config.heads);
  config.intermediate = reader.Int("intermediate_size", 1, 1 << 20);
  config.vocabulary = reader.Int("vocab_size", 1, 1 << 24);
  config.max_context = reader.Int("max_position_embeddings", 1, 1 << 24);
  config.norm_epsilon = reader.Number("rms_norm_eps", 1e-12, 1e-2, 1e-6);
  config.head_dim =
      reader.Int("head_dim", 2, 1024, head_dim.value_or(config.hidden / config.heads));
  if (config.heads % config.kv_heads != 0) {
    reader.Problem("num_key_value_heads",
                   absl::StrCat("must divide the ", config.heads, " attention heads"));
  }
  if (!reader.Has("head_dim") && !head_dim.has_value() && config.hidden % config.heads != 0) {
    reader.Problem("num_attention_heads", absl::StrCat("must divide hidden_size ", config.hidden,
                                                       " where no head_dim is given"));
  }
  if (config.head_dim < 2 || config.head_dim > 1024 || config.head_dim % 2 != 0) {
    reader.Problem("head_dim", absl::StrCat("is ", config.head_dim,
                                            " but must be even and in [2, 1024] (rotary pairs)"));
  }
  config.layer.assign(static_cast<size_t>(config.layers), LayerConfig{});
}

void ReadActivation(ConfigReader& reader, absl::string_view key, Activation wanted,
                    ModelConfig& config) {
  const absl::string_view name = wanted == Activation::kSilu ? "silu" : "gelu_pytorch_tanh";
  if (reader.String(key, name) != name) {
    reader.Problem(key, absl::StrCat("only \"", name, "\" is built here for this family"));
  }
  config.activation = wanted;
}

RopeConfig ReadRopeObject(const Json& object, const std::string& prefix, double theta,
                          std::vector<std::string>* problems) {
  ConfigReader reader(object, prefix, problems);
  RopeConfig rope;
  rope.theta = reader.Number("rope_theta", 1, 1e12, theta);
  // "type" is the key of older files; where both stand they agree.
  const std::string old_type = reader.String("type", "default");
  const std::string type = reader.String("rope_type", old_type);
  if (reader.Has("type") && old_type != type) reader.Problem("type", "contradicts rope_type");
  reader.RequireNumber("partial_rotary_factor", 1);
  if (type == "llama3") {
    rope.llama3.factor = reader.Number("factor", 1, 1e6);
    rope.llama3.low_frequency_factor = reader.Number("low_freq_factor", 1e-6, 1e6);
    rope.llama3.high_frequency_factor = reader.Number("high_freq_factor", 1e-6, 1e6);
    rope.llama3.original_context = reader.Int("original_max_position_embeddings", 1, 1 << 24);
    if (rope.llama3.high_frequency_factor <= rope.llama3.low_frequency_factor) {
      reader.Problem("high_freq_factor", "must be larger than low_freq_factor");
    }
  } else if (type == "linear") {
    rope.linear_factor = reader.Number("factor", 1, 1e6);
  } else if (type != "default") {
    reader.Problem(reader.Has("rope_type") ? "rope_type" : "type",
                   "only \"default\", \"linear\" and \"llama3\" are built here");
    return rope;  // the other keys belong to the type that is not built
  }
  if (type != "llama3") reader.Ignore({"original_max_position_embeddings"});
  if (type == "default") reader.Ignore({"factor"});
  reader.RefuseTheRest();
  return rope;
}

RopeConfig ReadRope(ConfigReader& reader, double default_theta) {
  std::vector<std::string>* problems = reader.problems();
  const bool has_theta = reader.Has("rope_theta");
  const double theta = reader.Number("rope_theta", 1, 1e12, default_theta);
  reader.RequireNumber("partial_rotary_factor", 1);
  const Json* scaling = reader.Object("rope_scaling");
  const Json* parameters = reader.Object("rope_parameters");
  if (parameters == nullptr) {
    if (scaling != nullptr) return ReadRopeObject(*scaling, "rope_scaling.", theta, problems);
    RopeConfig rope;
    rope.theta = theta;
    return rope;
  }
  if (scaling != nullptr) {
    reader.Problem("rope_scaling", "stands beside rope_parameters; only one may say how to rotate");
  }
  RopeConfig rope = ReadRopeObject(*parameters, "rope_parameters.", theta, problems);
  if (has_theta && rope.theta != theta) {
    reader.Problem("rope_theta", "contradicts rope_parameters.rope_theta");
  }
  return rope;
}

std::vector<bool> ReadLayerTypes(ConfigReader& reader, const ModelConfig& config) {
  const std::vector<std::string> types = reader.Strings("layer_types");
  std::vector<bool> slides;
  if (types.empty()) return slides;
  if (types.size() != config.layer.size()) {
    reader.Problem("layer_types",
                   absl::StrCat("must have one entry for each of the ", config.layers, " layers"));
    return slides;
  }
  for (const std::string& type : types) {
    if (type != "sliding_attention" && type != "full_attention") {
      reader.Problem("layer_types", "only full_attention and sliding_attention are built here");
      return {};
    }
    slides.push_back(type == "sliding_attention");
  }
  return slides;
}

absl::optional<int64_t> ReadWindow(ConfigReader& reader) {
  if (reader.IsNull("sliding_window")) {
    reader.Ignore({"sliding_window"});
    return absl::nullopt;
  }
  return reader.Int("sliding_window", 1, 1 << 24, 4096);
}

void ReadQwenWindows(ConfigReader& reader, ModelConfig& config) {
  const bool wanted = reader.Bool("use_sliding_window", false);
  const absl::optional<int64_t> window = ReadWindow(reader);
  const bool use = wanted && window.has_value();
  const int64_t first = reader.Int("max_window_layers", 0, 1 << 20, 28);
  const std::vector<bool> slides = ReadLayerTypes(reader, config);
  for (size_t i = 0; i < config.layer.size(); ++i) {
    const bool sliding =
        slides.empty() ? use && static_cast<int64_t>(i) >= first : static_cast<bool>(slides[i]);
    if (sliding && !use) {
      reader.Problem("layer_types", absl::StrCat("has sliding_attention although ",
                                                 wanted ? "sliding_window is null"
                                                        : "use_sliding_window is not true"));
      return;
    }
    if (sliding) config.layer[i].window = *window;
  }
}

}  // namespace steer
