#include "server/weights/checkpoint_mistakes.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

constexpr size_t kListedNames = 5;

// Sorted names of the folder's entries.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot list ", folder));
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> EndingIn(const std::vector<std::string>& names,
                                  std::initializer_list<absl::string_view> endings) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    for (absl::string_view ending : endings) {
      if (absl::EndsWith(name, ending)) out.push_back(name);
    }
  }
  return out;
}

std::string Some(std::vector<std::string> names) {
  const size_t more = names.size() > kListedNames ? names.size() - kListedNames : 0;
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

// What the folder has instead of safetensors weights, as the end of a sentence.
std::string WeightsInstead(const std::vector<std::string>& names) {
  if (const auto found = EndingIn(names, {".gguf"}); !found.empty()) {
    return absl::StrCat(": ", Some(found),
                        " is GGUF, a format that is not read here; use the checkpoint that it was "
                        "made from");
  }
  if (const auto found = EndingIn(names, {".bin", ".pt", ".pth"}); !found.empty()) {
    return absl::StrCat(
        ": ", Some(found),
        " is a pickle file, a format that is never opened here because opening it runs what is in "
        "it; transformers converts it: AutoModelForCausalLM.from_pretrained(OLD)"
        ".save_pretrained(NEW)");
  }
  if (const auto found = EndingIn(names, {".safetensors"}); !found.empty()) {
    const bool shards = absl::StartsWith(found[0], "model-0");
    return absl::StrCat(": it has ", Some(found),
                        shards ? ", shards whose index was not copied along"
                               : ", a name that transformers does not load either");
  }
  return "";
}

}  // namespace

absl::Status CheckNotLfsPointer(const std::string& path, absl::string_view bytes) {
  if (!absl::StartsWith(bytes, "version https://git-lfs")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is a git-LFS pointer of ", bytes.size(),
                   " bytes and not the file itself: run `git lfs install && git lfs pull` in that "
                   "folder, or download with `hf download`"));
}

absl::Status CheckNotAdapter(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(absl::StrCat(folder, "/adapter_config.json"), error)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      folder,
      " holds an adapter (adapter_config.json), which is not applied here; merge it into its base "
      "model: PeftModel.from_pretrained(BASE, ADAPTER).merge_and_unload().save_pretrained(NEW)"));
}

absl::Status CheckNotQuantized(const std::string& path, const Json& config) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return absl::OkStatus();
  std::string method = "of unnamed method";
  if (found->is_object() && found->contains("quant_method") &&
      (*found)["quant_method"].is_string()) {
    method = absl::StrCat("quant_method \"",
                          (*found)["quant_method"].get<std::string>().substr(0, 40), "\"");
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": \"quantization_config\" (", method,
                   "): quantised weights are not built here; use the checkpoint that this one was "
                   "quantised from"));
}

absl::Status NoConfig(const std::string& folder) {
  STEER_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(folder));
  if (names.empty()) return absl::NotFoundError(absl::StrCat(folder, " is an empty folder"));
  std::vector<std::string> inside;
  for (const std::string& name : names) {
    std::error_code error;
    if (fs::exists(absl::StrCat(folder, "/", name, "/config.json"), error)) inside.push_back(name);
  }
  const std::string hint =
      inside.empty() ? WeightsInstead(names) : absl::StrCat(", but there is one in ", Some(inside));
  return absl::NotFoundError(absl::StrCat(
      folder, " has no config.json, so it is no checkpoint in Hugging Face format", hint));
}

absl::Status NoWeights(const std::string& folder) {
  STEER_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(folder));
  return absl::NotFoundError(
      absl::StrCat(folder, " has neither model.safetensors nor model.safetensors.index.json",
                   WeightsInstead(names)));
}

}  // namespace steer
