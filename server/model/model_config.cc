#include "server/model/model_config.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/model/config_reader.h"
#include "server/model/families/families.h"

namespace steer {
namespace {

constexpr size_t kListedProblems = 20;

// Keys of any family that say nothing about the arithmetic of a forward pass.
void IgnoreHarmless(ConfigReader& reader) {
  reader.Ignore({"architectures",
                 "model_type",
                 "dtype",
                 "torch_dtype",
                 "transformers_version",
                 "_name_or_path",
                 "_attn_implementation_autoset",
                 "attn_implementation",
                 "_attn_implementation",
                 "initializer_range",
                 "use_cache",
                 "cache_implementation",
                 "bos_token_id",
                 "eos_token_id",
                 "pad_token_id",
                 "unk_token_id",
                 "attention_dropout",
                 "id2label",
                 "label2id",
                 "problem_type",
                 "return_dict",
                 "output_attentions",
                 "output_hidden_states",
                 "torchscript",
                 "transformers.js_config",
                 "unsloth_fixed",
                 "unsloth_version",
                 "license",
                 "task_specific_params"});
}

std::string BuiltFamilies() {
  return absl::StrJoin(Families(), ", ", [](std::string* out, const Family& family) {
    absl::StrAppend(out, family.model_type);
  });
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(const Json& config) {
  if (!config.is_object()) return absl::InvalidArgumentError("config.json: not a JSON object");
  std::vector<std::string> problems;
  ConfigReader reader(config, "", &problems);
  ModelConfig out;
  out.family = reader.String("model_type", "");
  const Family* built = nullptr;
  for (const Family& family : Families()) {
    if (family.model_type == out.family) built = &family;
  }
  if (built == nullptr) {
    const absl::string_view reason = WhyNotBuilt(out.family);
    reader.Problem("model_type", absl::StrCat(reason, reason.empty() ? "" : "; ", "only ",
                                              BuiltFamilies(), " are built here"));
  } else {
    built->read(reader, out);
    IgnoreHarmless(reader);
    reader.RefuseTheRest();
  }
  if (problems.empty()) return out;
  const size_t more = problems.size() > kListedProblems ? problems.size() - kListedProblems : 0;
  problems.resize(problems.size() - more);
  return absl::InvalidArgumentError(
      absl::StrCat("config.json: ", absl::StrJoin(problems, "; "),
                   more > 0 ? absl::StrCat("; and ", more, " more") : ""));
}

}  // namespace steer
