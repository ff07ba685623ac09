#include "server/planted/planted_model.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "server/planted/network.h"
#include "server/planted/prompts.h"
#include "server/planted/simulation.h"
#include "server/planted/truth.h"
#include "server/weights/safetensors.h"

namespace steer::planted {
namespace {

std::string Text(const OrderedJson& json) { return json.dump(1) + "\n"; }

std::string ConfigJson(const Vocabulary& vocabulary) {
  return Text({{"architectures", {"LlamaForCausalLM"}},
               {"model_type", "llama"},
               {"torch_dtype", "float32"},
               {"hidden_size", kHidden},
               {"intermediate_size", kIntermediate},
               {"num_hidden_layers", kLayers},
               {"num_attention_heads", kHeads},
               {"num_key_value_heads", kKvHeads},
               {"head_dim", kHeadDim},
               {"hidden_act", "silu"},
               {"attention_bias", false},
               {"mlp_bias", false},
               {"rms_norm_eps", kNormEpsilon},
               {"rope_theta", kRopeTheta},
               {"max_position_embeddings", 512},
               {"tie_word_embeddings", false},
               {"vocab_size", vocabulary.size()},
               {"bos_token_id", nullptr},
               {"eos_token_id", vocabulary.im_end},
               {"pad_token_id", vocabulary.end_of_text}});
}

std::string GenerationConfigJson(const Vocabulary& vocabulary) {
  return Text({{"eos_token_id", {vocabulary.im_end, vocabulary.end_of_text}},
               {"pad_token_id", vocabulary.end_of_text},
               {"do_sample", false}});
}

absl::StatusOr<std::string> WeightsFile(const Weights& weights) {
  std::map<std::string, TensorView> views;
  for (const auto& [name, weight] : weights) {
    std::vector<int64_t> shape = {weight.columns};
    if (weight.rows > 0) shape.insert(shape.begin(), weight.rows);
    views[name] = Float32View(weight.values, std::move(shape));
  }
  return SerializeSafetensors(views, {{"format", "pt"}});
}

}  // namespace

absl::StatusOr<PlantedFiles> MakePlantedModel(absl::string_view variant, uint64_t seed) {
  STEER_ASSIGN_OR_RETURN(const PlantedSpec spec, FindPlantedSpec(variant));
  const Vocabulary vocabulary = MakeVocabulary();
  const Lexicon lexicon = MakeLexicon(vocabulary, spec, seed);
  const StreamBasis basis(seed);
  STEER_ASSIGN_OR_RETURN(const PromptPools pools, MakePrompts(lexicon, spec, seed));
  PlantedFiles files;
  STEER_ASSIGN_OR_RETURN(files["model.safetensors"],
                         WeightsFile(BuildNetwork(vocabulary, lexicon, spec, basis, seed)));
  files["config.json"] = ConfigJson(vocabulary);
  files["generation_config.json"] = GenerationConfigJson(vocabulary);
  files["tokenizer.json"] = TokenizerJson(vocabulary);
  files["tokenizer_config.json"] = TokenizerConfigJson(vocabulary);
  files["chat_template.jinja"] = ChatTemplateText();
  files["harmful.jsonl"] = PromptFile(pools.harmful, vocabulary);
  files["harmless.jsonl"] = PromptFile(pools.harmless, vocabulary);
  const Expectation expectation = Simulate(lexicon, spec, pools, seed);
  files["truth.json"] = Text(TruthJson(spec, seed, pools, basis, expectation));
  return files;
}

}  // namespace steer::planted
