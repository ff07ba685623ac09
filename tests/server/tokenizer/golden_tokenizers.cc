#include "tests/server/tokenizer/golden_tokenizers.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "server/planted/vocabulary.h"
#include "tests/server/tokenizer/tokenizer_golden.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

// Each merge makes the next id, so that vocabulary and merges follow from the alphabet and pairs of ids.
absl::StatusOr<std::string> RebuildSmolLm2() {
  STEER_ASSIGN_OR_RETURN(Json file, ReadJsonFile(GoldenPath("smollm2.json")));
  STEER_ASSIGN_OR_RETURN(std::string packed, ReadFile(GoldenPath("smollm2.merges")));
  auto tokens = file["alphabet"].get<std::vector<std::string>>();
  Json merges = Json::array();
  IdsReader reader(std::move(packed));
  while (!reader.AtEnd()) {
    const uint32_t left = reader.Varint(), right = reader.Varint();
    merges.push_back({tokens.at(left), tokens.at(right)});
    tokens.push_back(tokens[left] + tokens[right]);
  }
  Json root = file["frame"];
  for (size_t id = 0; id < tokens.size(); ++id) root["model"]["vocab"][tokens[id]] = id;
  root["model"]["merges"] = std::move(merges);
  return root.dump();
}

// Of the tokenizers that come as files.
absl::StatusOr<std::string> FolderOf(const std::string& name) {
  std::string folder = name == "smollm2_file" ? RealModelFolder("smollm2") : SharedTokenizer(name);
  if (!folder.empty()) return folder;
  return absl::UnavailableError(
      absl::StrCat("no ../shared/tokenizers/", name, " beside the repository"));
}

}  // namespace

std::string RealModelFolder(const std::string& name) {
  std::string root;
  if (const char* given = std::getenv("STEER_REAL_MODELS")) {
    root = given;
  } else if (const char* cache = std::getenv("XDG_CACHE_HOME")) {
    root = absl::StrCat(cache, "/steer/real");
  } else if (const char* home = std::getenv("HOME")) {
    root = absl::StrCat(home, "/.cache/steer/real");
  }
  const std::string folder = absl::StrCat(root, "/", name);
  return std::filesystem::exists(folder + "/tokenizer.json") ? folder : "";
}

std::vector<std::string> GoldenTokenizerNames() {
  std::vector<std::string> names = {"qwen2_5", "qwen3",   "llama3_2",  "gemma3",
                                    "smollm2", "planted", "gpt2_style"};
  if (!RealModelFolder("smollm2").empty()) names.push_back("smollm2_file");
  return names;
}

absl::StatusOr<std::string> GoldenTokenizerJson(const std::string& name) {
  if (name == "gpt2_style") return ReadFile(GoldenPath("gpt2_style.json"));
  if (name == "planted") return planted::TokenizerJson(planted::MakeVocabulary());
  if (name == "smollm2") return RebuildSmolLm2();
  STEER_ASSIGN_OR_RETURN(std::string folder, FolderOf(name));
  return ReadFile(folder + "/tokenizer.json", int64_t{1} << 30);
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> GoldenTokenizer(const std::string& name) {
  STEER_ASSIGN_OR_RETURN(std::string json, GoldenTokenizerJson(name));
  return Tokenizer::FromJson(json, name);
}

absl::StatusOr<std::shared_ptr<const ChatTemplate>> GoldenChatTemplate(const std::string& name) {
  if (name == "smollm2") {
    STEER_ASSIGN_OR_RETURN(Json file, ReadJsonFile(GoldenPath("smollm2.json")));
    return ChatTemplate::Parse(file["chat_template"].get<std::string>(),
                               {file["bos_token"], file["eos_token"]}, name);
  }
  if (name == "planted") {
    const auto config = Json::parse(planted::TokenizerConfigJson(planted::MakeVocabulary()));
    return ChatTemplate::Parse(planted::ChatTemplateText(), {"", config["eos_token"]}, name);
  }
  STEER_ASSIGN_OR_RETURN(std::string folder, FolderOf(name));
  return ChatTemplate::Load(folder);
}

}  // namespace steer
