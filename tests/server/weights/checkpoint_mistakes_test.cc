// What people take for a checkpoint: each is told what it is and what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/weights/checkpoint.h"
#include "server/weights/checkpoint_mistakes.h"
#include "tests/server/weights/temporary_folder.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kPointer[] =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

class MistakesTest : public TemporaryFolder {
 protected:
  void SetUp() override {
    Write("config.json", "{}");
    Write("model.safetensors",
          SerializeSafetensors({{"a", Float32View(values_, {2})}}, {}).value());
  }
  void Remove(const std::string& name) const { std::filesystem::remove(At(name)); }
  std::string Refusal() const {
    const auto checkpoint = Checkpoint::Open(root_);
    return checkpoint.ok() ? "accepted" : std::string(checkpoint.status().message());
  }
  const std::vector<float> values_ = {1, 2};
};

TEST_F(MistakesTest, GitLfsPointersAreNoFiles) {
  ASSERT_EQ(Refusal(), "accepted");
  Write("tokenizer.json", kPointer);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(At("tokenizer.json") + " is a git-LFS pointer"),
                               HasSubstr("git lfs pull")));
  Remove("tokenizer.json");
  Write("model.safetensors", kPointer);
  EXPECT_THAT(Refusal(), HasSubstr(At("model.safetensors") + " is a git-LFS pointer"));
  Remove("model.safetensors");
  Write("one.safetensors", kPointer);
  Write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(Refusal(), HasSubstr(At("one.safetensors") + " is a git-LFS pointer"));
}

TEST_F(MistakesTest, AdaptersAreToldEvenBesideAModel) {
  Write("adapter_config.json", "{}");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("adapter_config.json"), HasSubstr("merge_and_unload")));
  Remove("config.json");
  Remove("model.safetensors");
  EXPECT_THAT(Refusal(), HasSubstr("merge_and_unload"));
}

TEST_F(MistakesTest, QuantisedCheckpointsNameTheirMethod) {
  for (const char* method : {"gptq", "awq", "bitsandbytes", "fp8"}) {
    Write("config.json",
          absl::StrCat(R"({"quantization_config":{"bits":4,"quant_method":")", method, "\"}}"));
    EXPECT_THAT(Refusal(), AllOf(HasSubstr(At("config.json")),
                                 HasSubstr(absl::StrCat("quant_method \"", method, "\"")),
                                 HasSubstr("quantised from")));
  }
  for (const char* unnamed : {"3", "{}", R"({"quant_method":3})"}) {
    Write("config.json", absl::StrCat("{\"quantization_config\":", unnamed, "}"));
    EXPECT_THAT(Refusal(), HasSubstr("of unnamed method")) << unnamed;
  }
  Write("config.json", R"({"quantization_config":null})");
  EXPECT_EQ(Refusal(), "accepted");
}

TEST_F(MistakesTest, OtherFormatsAreNamedWithTheWayOut) {
  Remove("model.safetensors");
  EXPECT_THAT(Refusal(), HasSubstr("neither model.safetensors nor model.safetensors.index.json"));
  Write("consolidated.safetensors", "x");
  EXPECT_THAT(Refusal(), HasSubstr("it has consolidated.safetensors, a name that transformers"));
  Write("pytorch_model.bin", "x");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("pytorch_model.bin is a pickle file"),
                               HasSubstr(".save_pretrained(NEW)")));
  Write("tiny-q4.gguf", "x");
  EXPECT_THAT(Refusal(), HasSubstr("tiny-q4.gguf is GGUF"));
  for (int i = 0; i < 6; ++i) Write(absl::StrCat("tiny-q", i, ".gguf"), "x");
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("tiny-q4.gguf and 1 more is GGUF"), Not(HasSubstr("tiny-q5.gguf"))));
  for (int i = 0; i < 6; ++i) Remove(absl::StrCat("tiny-q", i, ".gguf"));
  Write("tiny-q4.gguf", "x");
  Remove("config.json");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("has no config.json"), HasSubstr("tiny-q4.gguf is GGUF")));
}

TEST_F(MistakesTest, AFolderThatCannotBeListedIsNotCalledEmpty) {
  for (const absl::Status& status : {NoConfig(At("gone")), NoWeights(At("gone"))}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr("cannot list " + At("gone")));
  }
}

TEST_F(MistakesTest, AFolderAboveTheCheckpointNamesTheOnesInside) {
  std::filesystem::create_directory(At("inner"));
  std::filesystem::rename(At("config.json"), At("inner/config.json"));
  EXPECT_THAT(Refusal(), HasSubstr("but there is one in inner"));
  root_ = At("inner");
  Remove("config.json");
  EXPECT_THAT(Refusal(), HasSubstr("is an empty folder"));
  root_ = std::filesystem::path(root_).parent_path().string();
}

TEST_F(MistakesTest, AllMissingShardsAreNamedAtOnce) {
  std::filesystem::rename(At("model.safetensors"), At("model-00001-of-00003.safetensors"));
  EXPECT_THAT(Refusal(), HasSubstr("shards whose index was not copied along"));
  Write("model.safetensors.index.json",
        R"({"weight_map":{"a":"model-00001-of-00003.safetensors",)"
        R"("b":"model-00002-of-00003.safetensors","c":"model-00003-of-00003.safetensors"}})");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("lacks 2 of the 3 shards"),
                               HasSubstr("model-00002-of-00003.safetensors, model-00003-of-00003"),
                               Not(HasSubstr("names: model-00001"))));
}

TEST_F(MistakesTest, CutFilesAreCalledCut) {
  const std::string whole = ReadFile(At("model.safetensors")).value();
  const auto refusal = [&](size_t size) {
    Write("model.safetensors", whole.substr(0, size));
    const std::string message = Refusal();
    EXPECT_THAT(message, HasSubstr(At("model.safetensors")));
    return message;
  };
  EXPECT_THAT(refusal(0), HasSubstr("is an empty file"));
  EXPECT_THAT(refusal(5), HasSubstr("has 5 bytes, fewer than"));
  EXPECT_THAT(refusal(20), HasSubstr("it is cut short, or no safetensors file"));
  EXPECT_THAT(refusal(whole.size() - 1),
              AllOf(HasSubstr("tensor \"a\""), HasSubstr("the file is cut short")));
  Write("model.safetensors", "<!DOCTYPE html><html>not found</html>");
  EXPECT_THAT(Refusal(), HasSubstr("no safetensors file"));
}

// Root may read everything, so a child process becomes somebody else.
TEST_F(MistakesTest, AFileThatMayNotBeReadIsNamed) {
  std::filesystem::permissions(root_, std::filesystem::perms(0755));
  std::filesystem::permissions(At("model.safetensors"), std::filesystem::perms(0));
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    if (access(root_.c_str(), R_OK | X_OK) != 0) _exit(77);
    const std::string message = Refusal();
    const bool good = absl::StrContains(message, At("model.safetensors")) &&
                      absl::StrContains(message, "Permission denied");
    if (!good) fprintf(stderr, "%s\n", message.c_str());
    _exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    GTEST_SKIP() << "others cannot enter the folder of temporary files";
  }
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace steer
