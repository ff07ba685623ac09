// The real steerd on checkpoints that are broken in the ways in which people break them: it ends
// with exit code 1 and one line that names the file, the tensor or the key, and says what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "server/weights/safetensors.h"
#include "tests/integration/scenario.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class BadCheckpoint : public testing::Test {
 protected:
  // A fresh copy of what a checkpoint is read from.
  BadCheckpoint() : scenario_("default"), model_(scenario_.Path("copy")) {
    fs::create_directory(model_);
    for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                             "tokenizer_config.json", "chat_template.jinja", "model.safetensors"}) {
      fs::copy_file(scenario_.model() + "/" + name, model_ + "/" + name);
    }
  }

  std::string File(const std::string& name) const { return model_ + "/" + name; }
  void Write(const std::string& name, const std::string& bytes) const {
    ASSERT_TRUE(WriteFileAtomically(File(name), bytes).ok());
  }
  void Replace(const std::string& name, const std::string& from, const std::string& to) const {
    const std::string text = MustRead(File(name));
    ASSERT_TRUE(absl::StrContains(text, from)) << name << " has no " << from;
    Write(name, absl::StrReplaceAll(text, {{from, to}}));
  }
  void Remove(const std::string& name) const { ASSERT_TRUE(fs::remove(File(name))); }
  // Rewrites model.safetensors; `change` sees the tensors, and bytes that it may fill and point to.
  void Tensors(const std::function<void(std::map<std::string, TensorView>&,
                                        std::map<std::string, std::string>&)>& change) const {
    const auto file = SafetensorsFile::Open(scenario_.model() + "/model.safetensors").value();
    std::map<std::string, TensorView> tensors = file->tensors();
    std::map<std::string, std::string> bytes;
    for (const auto& [name, view] : tensors) bytes[name] = std::string(view.bytes);
    for (auto& [name, view] : tensors) view.bytes = bytes[name];
    change(tensors, bytes);
    Write("model.safetensors", SerializeSafetensors(tensors, {}).value());
  }

  // What steerd says about `model` before it gives up.
  std::string Refusal(const std::vector<std::string>& flags, const Environment& environment = {}) {
    const std::string out = scenario_.Path("refused.out"), err = scenario_.Path("refused.err");
    fs::remove(err);
    std::vector<std::string> argv = {BuildPath("server/steerd"),   "--listen", "127.0.0.1:0",
                                     "--metrics-listen",           "",         "--store",
                                     scenario_.Path("directions"), "--dtype",  "float32"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    const ProcessEnd end = Process(argv, environment, out, err).Wait(absl::Minutes(1));
    EXPECT_FALSE(end.timed_out) << "it serves, or hangs: " << MustRead(err);
    EXPECT_EQ(end.signal, 0);
    EXPECT_EQ(end.exit_code, 1);
    // Log lines of the start, then one line for people.
    std::string last;
    for (absl::string_view line : absl::StrSplit(MustRead(err), '\n', absl::SkipEmpty())) {
      EXPECT_TRUE(last.empty()) << "more follows the error: " << line;
      if (!absl::StrContains(line, "[info]")) last = std::string(line);
    }
    EXPECT_TRUE(absl::StartsWith(last, "steerd: ")) << last;
    EXPECT_LT(last.size(), 2000u) << last;
    return last;
  }
  std::string Refusal() { return Refusal({"--model", model_}); }

  Scenario scenario_;
  const std::string model_;
};

TEST_F(BadCheckpoint, TensorsThatDoNotFitAreAllNamed) {
  Tensors([](auto& tensors, auto& bytes) {
    tensors.erase("lm_head.weight");
    tensors["model.norm.weight"].shape = {2, 96};
    tensors["model.layers.6.mlp.up_proj.weight"] = tensors["model.layers.5.mlp.up_proj.weight"];
    bytes["int"] = std::string(192 * 4, '\0');
    tensors["model.layers.0.input_layernorm.weight"] = {TensorType::kInt32, {192}, bytes["int"]};
  });
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("does not fit its config.json (4 tensors)"),
                               HasSubstr("missing lm_head.weight [413, 192]"),
                               HasSubstr("model.norm.weight: [2, 96], config.json asks for [192]"),
                               HasSubstr("unused model.layers.6.mlp.up_proj.weight"),
                               HasSubstr("model.layers.0.input_layernorm.weight: type I32")));
}

TEST_F(BadCheckpoint, WeightsThatAreNotNumbersAreNamedWithTheirPlace) {
  Tensors([](auto&, auto& bytes) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(bytes["model.layers.3.mlp.gate_proj.weight"].data() + 4 * (192 * 17 + 5), &nan, 4);
  });
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(File("model.safetensors")),
                               HasSubstr("\"model.layers.3.mlp.gate_proj.weight\" holds NaN at "
                                         "[17, 5]")));
}

TEST_F(BadCheckpoint, DamagedFilesAreNamed) {
  const std::string whole = MustRead(File("model.safetensors"));
  Write("model.safetensors", whole.substr(0, whole.size() - 1000));
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(File("model.safetensors")), HasSubstr("is cut short")));
  Write("model.safetensors", "");
  EXPECT_THAT(Refusal(), HasSubstr(File("model.safetensors") + ": is an empty file"));
  Write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("is a git-LFS pointer"), HasSubstr("git lfs pull")));
  Write("config.json", "{\"model_type\": \"llama\",\n");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(File("config.json")), HasSubstr("line 2")));
}

TEST_F(BadCheckpoint, ConfigurationsThatAreNotBuiltAreNamedByKey) {
  Replace("config.json", "\"model_type\": \"llama\"", "\"model_type\": \"mamba\"");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("config.json"), HasSubstr("\"model_type\" = \"mamba\"")));
  Replace("config.json", "\"model_type\": \"mamba\"",
          "\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"gptq\"}");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(File("config.json")), HasSubstr("quant_method \"gptq\"")));
}

TEST_F(BadCheckpoint, TokenizersThatAreNotBuiltAreNamedByNode) {
  OrderedJson tokenizer = ParseOrderedJson(MustRead(File("tokenizer.json"))).value();
  tokenizer["pre_tokenizer"] = {{"type", "Phrenology"}};
  Write("tokenizer.json", tokenizer.dump());
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(File("tokenizer.json")), HasSubstr("pre_tokenizer"),
                               HasSubstr("Phrenology")));
  Remove("tokenizer.json");
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr(model_ + " has no tokenizer.json"), HasSubstr("AutoTokenizer")));
}

TEST_F(BadCheckpoint, TemplatesThatAreNotBuiltAreNamedByConstruct) {
  Write("chat_template.jinja", "{% for m in messages %}\n{{ m.content | rot13 }}\n{% endfor %}");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(File("chat_template.jinja")), HasSubstr("line 2"),
                               HasSubstr("rot13")));
  Remove("chat_template.jinja");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(model_), HasSubstr("neither chat_template.jinja nor"),
                               HasSubstr("base model")));
}

TEST_F(BadCheckpoint, WhatIsNoCheckpointIsToldWhatItIs) {
  EXPECT_THAT(Refusal({"--model", File("model.safetensors")}),
              HasSubstr("is a file; --model takes the folder that holds it"));
  EXPECT_THAT(Refusal({"--model", File("none.gguf")}), HasSubstr("there is no folder"));
  Write("q4.gguf", "GGUF");
  EXPECT_THAT(Refusal({"--model", File("q4.gguf")}), HasSubstr("is a GGUF file"));
  Remove("q4.gguf");
  fs::rename(File("model.safetensors"), File("pytorch_model.bin"));
  EXPECT_THAT(Refusal(), HasSubstr("pytorch_model.bin is a pickle file"));
  Write("adapter_config.json", "{}");
  EXPECT_THAT(Refusal(), HasSubstr("merge_and_unload"));
  EXPECT_FALSE(fs::exists(scenario_.Path("directions/x")));
}

// Laid out as huggingface_hub does it.
class HubCheckpoint : public BadCheckpoint {
 protected:
  HubCheckpoint() : repo_(scenario_.Path("hub/models--Org--Planted")) {
    fs::create_directories(repo_ + "/blobs");
    fs::create_directories(repo_ + "/refs");
    fs::create_directories(Snapshot());
    for (const auto& entry : fs::directory_iterator(model_)) {
      const std::string name = entry.path().filename().string();
      fs::rename(entry.path(), repo_ + "/blobs/blob-" + name);
      fs::create_symlink("../../blobs/blob-" + name, Snapshot() + "/" + name);
    }
    EXPECT_TRUE(WriteFileAtomically(repo_ + "/refs/main", kCommit).ok());
  }
  std::string Snapshot() const { return repo_ + "/snapshots/" + kCommit; }
  Environment Hub() const { return {{"HF_HUB_CACHE", scenario_.Path("hub")}}; }

  static constexpr char kCommit[] = "0123456789abcdef0123456789abcdef01234567";
  const std::string repo_;
};

TEST_F(HubCheckpoint, IsServedUnderItsNameAndWithTheFingerprintOfThePlainFolder) {
  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  const CommandResult plain = scenario_.Ctl({"model", "--json"});
  ASSERT_EQ(plain.end.exit_code, 0) << plain.err;
  scenario_.StopServer();
  scenario_.set_model("Org/Planted");
  ASSERT_TRUE(scenario_.StartServer(Hub())) << scenario_.server_log();
  EXPECT_THAT(scenario_.server_log(),
              HasSubstr(absl::StrCat("loading Org/Planted (revision ", kCommit, ") from ")));
  const CommandResult cached = scenario_.Ctl({"model", "--json"});
  ASSERT_EQ(cached.end.exit_code, 0) << cached.err;
  const Json a = ParseJson(plain.out).value(), b = ParseJson(cached.out).value();
  EXPECT_EQ(b["name"], "Org/Planted");
  EXPECT_EQ(b["model_fingerprint"], a["model_fingerprint"]);
  EXPECT_EQ(b["numeric_fingerprint"], a["numeric_fingerprint"]);

  // The model's context is 512 tokens, and no prompt is cut to fit.
  std::string prompt;
  for (int i = 0; i < 700; ++i) prompt += "paper ";
  const CommandResult refused = scenario_.Ctl({"generate", "--prompt", prompt});
  EXPECT_NE(refused.end.exit_code, 0);
  EXPECT_THAT(refused.err, testing::ContainsRegex("[0-9]+ tokens.*at most 512"));
}

TEST_F(HubCheckpoint, MistakesWithTheCacheSayWhatToDo) {
  EXPECT_THAT(Refusal({"--model", "Org/Absent"}, Hub()),
              AllOf(HasSubstr(scenario_.Path("hub") + " (which holds Org/Planted)"),
                    HasSubstr("`hf download Org/Absent`")));
  EXPECT_THAT(Refusal({"--model", "Org/Planted", "--revision", "v3"}, Hub()),
              AllOf(HasSubstr("no revision \"v3\""), HasSubstr("main (0123456789ab)")));
  // A download that was interrupted: no link yet, and a begun blob.
  fs::remove(Snapshot() + "/model.safetensors");
  fs::rename(repo_ + "/blobs/blob-model.safetensors", repo_ + "/blobs/x.incomplete");
  EXPECT_THAT(Refusal({"--model", "Org/Planted"}, Hub()),
              AllOf(HasSubstr("neither model.safetensors nor"),
                    HasSubstr("the download is unfinished (6.0 MB so far in "),
                    HasSubstr("`hf download Org/Planted --revision")));
  // A link out of the cache.
  fs::create_symlink(scenario_.model() + "/model.safetensors", Snapshot() + "/model.safetensors");
  EXPECT_THAT(
      Refusal({"--model", "Org/Planted"}, Hub()),
      AllOf(HasSubstr(Snapshot() + "/model.safetensors is a link to"), HasSubstr("outside of")));
}

}  // namespace
}  // namespace steer
