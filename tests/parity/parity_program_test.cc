// steer-parity answers with the product's numbers; the comparison with transformers itself is tests/parity/run.sh's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "server/weights/safetensors.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

// Standard output of the program, given `input`; its exit status must be `status`.
std::string RunProgram(const std::string& arguments, const std::string& input, int status) {
  const std::string file = absl::StrCat(testing::TempDir(), "/steer_parity.", getpid(), ".in");
  std::ofstream(file) << input;
  const std::string command =
      absl::StrCat("'" STEER_PARITY_PROGRAM "' ", arguments, " < '", file, "' 2>&1");
  FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
  EXPECT_EQ(WEXITSTATUS(pclose(pipe)), status) << output;
  return output;
}

TEST(ParityProgramTest, WritesTheGoldenNumbers) {
  const std::string folder = TinyCheckpoint("gemma3_deep");
  auto golden = SafetensorsFile::Open(folder + "/expected.safetensors").value();
  const TensorView& prompt = golden->tensors().at("prompt.1");
  std::vector<int32_t> ids(static_cast<size_t>(prompt.elements()));
  std::memcpy(ids.data(), prompt.bytes.data(), prompt.bytes.size());
  const std::string out = absl::StrCat(testing::TempDir(), "/steer_parity.", getpid(), ".out");
  const Json request = {{"ids", ids}, {"greedy", 32}, {"positions", {0, 8}}, {"out", out}};
  EXPECT_EQ(RunProgram("'" + folder + "' float32", request.dump() + "\n", 0), "{\"tokens\":9}\n");
  auto written = SafetensorsFile::Open(out).value();
  EXPECT_EQ(written->tensors().at("greedy").bytes, golden->tensors().at("greedy.1").bytes);
  EXPECT_EQ(written->tensors().at("logits").shape, (std::vector<int64_t>{2, 83}));
  const TensorView& states = written->tensors().at("states");
  const std::vector<float> ours = ToFloat32(states).value();
  const std::vector<float> theirs = ToFloat32(golden->tensors().at("states.1")).value();
  ASSERT_EQ(states.shape, golden->tensors().at("states.1").shape);
  for (size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], theirs[i], 1e-2) << i;
}

TEST(ParityProgramTest, SaysWhatIsWrong) {
  const std::string model = "'" + TinyCheckpoint("llama") + "' float32";
  EXPECT_THAT(RunProgram(model, "{\"text\": \"Hello\"}\n", 0),
              testing::HasSubstr("tokenizer.json"));
  EXPECT_THAT(RunProgram(model, "not JSON\n", 0), testing::HasSubstr("\"error\""));
  EXPECT_THAT(RunProgram(model,
                         R"({"ids": [101], "greedy": 1, "positions": [], "out": "x"})"
                         "\n",
                         0),
              testing::HasSubstr("outside the vocabulary"));
  EXPECT_THAT(RunProgram("/nowhere float32", "", 1), testing::HasSubstr("/nowhere"));
  EXPECT_THAT(RunProgram("", "", 2), testing::HasSubstr("usage"));
}

}  // namespace
}  // namespace steer
