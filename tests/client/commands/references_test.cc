// How directions and prompt files are named on the command line, and the file of an exported
// direction.
#include "client/commands/references.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands/vector_file.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

TEST(DirectionNames, ThatAreNone) {
  for (const std::string& bad :
       {std::string(":3"), std::string(65, 'a') + ":3", std::string("3fa:1:7/4294967295"),
        std::string("3fa:1:7/1/2"), std::string("3fa:1:x/1")}) {
    const absl::Status status = ParseDirection(bad).status();
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("'", bad, "' is not SET:LAYER")))
        << status;
  }
  EXPECT_TRUE(ParseDirection(std::string(64, 'a') + ":3").ok());
}

TEST(PromptFiles, AreFoundInTheWorkingFolder) {
  const absl::Status status = ReadPrompts("no-such-prompts.txt", "", "--field").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(status.message(), "./no-such-prompts.txt")) << status;
}

TEST(ExportedDirection, IsReadStrictly) {
  auto file = [](const std::string& header, size_t data) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    return bytes + header + std::string(data, '\0');
  };
  auto tensor = [&](const std::string& fields, size_t data = 8) {
    return file(R"({"direction":{)" + fields + "}}", data);
  };
  const std::string cut = std::string("\x09\0\0\0\0\0\0\0", 8) + "{}";
  const std::pair<std::string, const char*> damaged[] = {
      {"1234567", "it is too short"},
      {cut, "its header is cut off"},
      {file("[]", 0), "it has no tensor named direction"},
      {file(R"({"other":1})", 0), "it has no tensor named direction"},
      {file(R"({"direction":7})", 0), "its tensor is not a float32 vector"},
      {tensor(R"("dtype":"F32","data_offsets":[0,8])"), "its tensor is not a float32 vector"},
      {tensor(R"("dtype":"F32","shape":2,"data_offsets":[0,8])"),
       "its tensor is not a float32 vector"},
      {tensor(R"("dtype":"F32","shape":[1,2],"data_offsets":[0,8])"),
       "its tensor is not a float32 vector"},
      {tensor(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"),
       "its tensor is not a float32 vector"},
      {tensor(R"("dtype":"F32","shape":[2])"), "its tensor is not a float32 vector"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
       "its size does not match its shape"},
      {tensor(R"("dtype":"F32","shape":[4000000000000000000],"data_offsets":[0,8])"),
       "its size does not match its shape"},
  };
  for (const auto& [bytes, said] : damaged) {
    const absl::Status status = ParseDirectionFile(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), said)) << status;
  }
  EXPECT_FALSE(ParseDirectionFile(file("{", 0)).ok());
  EXPECT_TRUE(ParseDirectionFile(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])")).ok());
}

}  // namespace
}  // namespace steer
