// What `steerctl doctor` finds wrong, and what its exit code is when several things are.
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/commands/exit_code.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/commands/edited_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

class Doctor : public ::testing::Test {
 protected:
  void SetUp() override { service_.Start(); }
  ProcessResult Call(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"doctor", "--server", service_.address(), "--patience",
                                          "0.2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunSteerctl(arguments);
  }
  // What it says of one check; fails the test if it says nothing.
  Json Finding(const std::string& check, int exit_code, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = more;
    arguments.push_back("--json");
    const ProcessResult result = Call(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    const absl::StatusOr<Json> json = ParseJson(result.out);
    for (const Json& finding : json.ok() ? *json : Json::array()) {
      if (finding["check"] == check) return finding;
    }
    ADD_FAILURE() << "nothing of " << check << ": " << result.out;
    return {{"ok", false}, {"said", ""}};
  }
  static bool Says(const Json& finding, const std::string& part) {
    const bool says = absl::StrContains(finding["said"].get<std::string>(), part);
    EXPECT_TRUE(says) << part << "\n" << finding;
    return says;
  }
  TemporaryFolder folder_;
  EditedService service_;
};

TEST_F(Doctor, AModelThatNothingCanBeDoneWith) {
  const std::function<void(v1::GetModelResponse*)> takes[] = {
      [](v1::GetModelResponse* model) { model->clear_model_fingerprint(); },
      [](v1::GetModelResponse* model) { model->clear_readouts(); },
      [](v1::GetModelResponse* model) { model->clear_control_families(); },
  };
  for (const auto& take : takes) {
    service_.edit_model = take;
    const Json model = Finding("model", kExitServer);
    EXPECT_EQ(model["ok"], false);
    Says(model, "it names no fingerprint, readout or control");
  }
}

TEST_F(Doctor, MemoryWithAndWithoutALimit) {
  int64_t limit = 0;
  service_.edit_model = [&](v1::GetModelResponse* model) {
    model->mutable_memory()->set_weights_bytes(3 << 20);
    model->mutable_memory()->set_kv_arena_bytes(2 << 20);
    model->mutable_memory()->set_work_bytes(1 << 20);
    model->mutable_memory()->set_limit_bytes(limit);
  };
  EXPECT_EQ(Finding("memory", kExitOk)["said"],
            "weights 3 MiB + KV arena 2 MiB (0 tokens) + work space 1 MiB = 6 MiB");
  limit = 9 << 20;
  Says(Finding("memory", kExitOk), " = 6 MiB of 9 MiB");
}

TEST_F(Doctor, MetricsPages) {
  const Answerer good("200 OK"), bad("503 Service Unavailable");
  EXPECT_EQ(Finding("metrics", kExitOk, {"--metrics", good.url()})["ok"], true);
  const Json refused = Finding("metrics", kExitFailure, {"--metrics", bad.url()});
  EXPECT_EQ(refused["ok"], false);
  Says(refused, "503");
  Says(Finding("metrics", kExitFailure, {"--metrics", "nonsense"}), "--metrics 'nonsense'");
}

TEST_F(Doctor, FoldersThatResultsDoNotFitInto) {
  const Json absent = Finding("disk", kExitDisk, {"--output", folder_ / "absent"});
  EXPECT_EQ(absent["said"],
            absl::StrCat("--output ", folder_ / "absent", ": No such file or directory"));
  // A file system without blocks.
  Says(Finding("disk", kExitDisk, {"--output", "/proc/self"}), ": 0 MiB free, 100 MiB are wanted");
  Says(Finding("disk", kExitOk, {"--output", folder_.path()}), " MiB free");
}

TEST_F(Doctor, AFolderThatIsReadOnly) {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() < 4 || absl::StrContains(fields[1], "\\")) continue;
    if (fields[3] != "ro" && !absl::StartsWith(fields[3], "ro,")) continue;
    std::error_code unreachable;
    std::filesystem::space(fields[1], unreachable);
    if (unreachable) continue;
    EXPECT_TRUE(absl::EndsWith(
        Finding("disk", kExitDisk, {"--output", fields[1]})["said"].get<std::string>(),
        "MiB free, read-only"));
    return;
  }
  GTEST_SKIP() << "nothing is mounted read-only here";
}

TEST_F(Doctor, TheFirstThingThatIsWrongGivesTheCode) {
  service_.edit_model = [](v1::GetModelResponse* model) { model->clear_readouts(); };
  const ProcessResult result =
      Call({"--output", folder_ / "absent", "--pushgateway", "http://127.0.0.1:1"});
  EXPECT_EQ(result.exit_code, kExitServer) << result.out;
  int failed = 0;
  for (absl::string_view line : absl::StrSplit(result.out, '\n'))
    failed += absl::StartsWith(line, "FAILED");
  EXPECT_EQ(failed, 3) << result.out;
}

}  // namespace
}  // namespace steer
