// The other subcommands, as a user calls them.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands/exit_code.h"
#include "client/commands/references.h"
#include "client/commands/vector_file.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

class Commands : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path());
    service_.Start();
  }
  ProcessResult Call(std::vector<std::string> arguments, const ProcessOptions& options = {}) {
    arguments.insert(arguments.end(), {"--server", service_.address(), "--patience", "0.5"});
    return RunSteerctl(arguments, options);
  }
  std::string Fit() {
    ProcessResult fit = Call({"fit", "--harmful", folder_ / "harmful.txt", "--harmless",
                              folder_ / "harmless.txt", "--json", "--figure", folder_ / "f.svg"});
    EXPECT_EQ(fit.exit_code, kExitOk) << fit.err;
    return (*ParseJson(fit.out))["set_id"].get<std::string>();
  }
  TemporaryFolder folder_;
  FakeService service_;
};

TEST_F(Commands, PlanCheckAndFreeze) {
  ProcessResult check = Call({"plan", "check", folder_ / "plan.yaml"});
  EXPECT_EQ(check.exit_code, kExitOk) << check.err;
  ProcessResult json = Call({"plan", "check", folder_ / "plan.yaml", "--json"});
  EXPECT_TRUE(ParseJson(json.out).ok()) << json.out;
  EXPECT_FALSE((*ParseJson(json.out))["work"].contains("expected_seconds"));
  ProcessResult tried = Call({"plan", "check", folder_ / "plan.yaml", "--trial", "--json"});
  ASSERT_TRUE(ParseJson(tried.out).ok()) << tried.err;
  EXPECT_GT((*ParseJson(tried.out))["work"]["trial"]["rows"], 0);
  EXPECT_GT((*ParseJson(tried.out))["work"]["expected_seconds"], 0);
  EXPECT_EQ(RunSteerctl({"plan", "check", folder_ / "plan.yaml", "--trial", "--server", "a:1,b:1"})
                .exit_code,
            kExitUsage);
  EXPECT_EQ(RunSteerctl({"plan", "check", folder_ / "plan.yaml", "--offline"}).exit_code, kExitOk);
  ProcessResult freeze = Call({"plan", "freeze", folder_ / "plan.yaml"});
  EXPECT_EQ(freeze.exit_code, kExitOk) << freeze.err;
  std::string first = ReadAll(folder_ / "plan.lock.json");
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml"}).exit_code, kExitOk);  // the same bytes
  EXPECT_EQ(ReadAll(folder_ / "plan.lock.json"), first);
  std::string plan = ReadAll(folder_ / "plan.yaml");
  plan.replace(plan.find("seed: 7"), 7, "seed: 8");
  WriteAll(folder_ / "plan.yaml", plan);
  EXPECT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml"}).exit_code, kExitInput);
  EXPECT_EQ(ReadAll(folder_ / "plan.lock.json"), first);
  EXPECT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml", "--replace"}).exit_code, kExitOk);
}

TEST_F(Commands, AWrongPlanNamesItsLine) {
  WriteAll(folder_ / "bad.yaml", ReadAll(folder_ / "plan.yaml") + "colour: red\n");
  ProcessResult check = Call({"plan", "check", folder_ / "bad.yaml"});
  EXPECT_EQ(check.exit_code, kExitInput);
  EXPECT_TRUE(absl::StrContains(check.err, "bad.yaml:13")) << check.err;
  EXPECT_EQ(check.out, "");
}

TEST_F(Commands, FitReportsSeparationAndDrawsIt) {
  ProcessResult fit = Call({"fit", "--harmful", folder_ / "harmful.txt", "--harmless",
                            folder_ / "harmless.txt", "--figure", folder_ / "fit.svg"});
  ASSERT_EQ(fit.exit_code, kExitOk) << fit.err;
  EXPECT_TRUE(absl::StrContains(fit.out, "largest projection gap: layer 5")) << fit.out;
  EXPECT_TRUE(absl::StrContains(ReadAll(folder_ / "fit.svg"), "<svg"));
  EXPECT_EQ(Call({"fit"}).exit_code, kExitUsage);
  EXPECT_EQ(
      Call({"fit", "--harmful", folder_ / "absent.txt", "--harmless", folder_ / "harmless.txt"})
          .exit_code,
      kExitInput);
  // By lock and seed.
  ASSERT_EQ(
      Call({"plan", "freeze", folder_ / "plan.yaml", "--output", folder_ / "l.json"}).exit_code,
      kExitOk);
  ProcessResult locked = Call({"fit", folder_ / "l.json", "--seed", "1", "--figure", "", "--json"});
  ASSERT_EQ(locked.exit_code, kExitOk) << locked.err;
  EXPECT_EQ((*ParseJson(locked.out))["harmful_prompts"], 8);
  EXPECT_EQ(Call({"fit", folder_ / "l.json", "--seed", "9"}).exit_code, kExitInput);
}

TEST_F(Commands, EvaluatePrintsRatesOnly) {
  std::string set = Fit();
  ProcessResult plain = Call({"evaluate", "--prompts", folder_ / "harmful.txt", "--json"});
  ASSERT_EQ(plain.exit_code, kExitOk) << plain.err;
  EXPECT_GT((*ParseJson(plain.out))["rate"].get<double>(), 0.8);
  ProcessResult ablated = Call({"evaluate", "--prompts", folder_ / "harmful.txt", "--ablate",
                                set.substr(0, 10) + ":3", "--json"});
  ASSERT_EQ(ablated.exit_code, kExitOk) << ablated.err;
  EXPECT_LT((*ParseJson(ablated.out))["rate"].get<double>(), 0.2);
  ProcessResult control = Call({"evaluate", "--prompts", folder_ / "harmful.txt", "--ablate",
                                set + ":3:control 7/0", "--json"});
  EXPECT_GT((*ParseJson(control.out))["rate"].get<double>(), 0.8) << control.err;
  EXPECT_FALSE(absl::StrContains(plain.out + plain.err, kCanary));
  EXPECT_EQ(service_.evaluate_requests().back().purpose(), v1::PURPOSE_EXPLORE);
}

TEST_F(Commands, GenerateStreamsAndSaysWhenTextIsWithheld) {
  ProcessResult plain = Call({"generate", "--prompt", "hello"});
  EXPECT_EQ(plain.exit_code, kExitOk) << plain.err;
  EXPECT_EQ(plain.out, "slithy toves\n");
  ProcessOptions input;
  input.input = "from standard input\n";
  EXPECT_EQ(Call({"generate", "--quiet"}, input).out, "slithy toves\n");
  ProcessResult edited = Call({"generate", "--prompt", "hello", "--add", Fit() + ":3:2.5"});
  EXPECT_EQ(edited.exit_code, kExitOk) << edited.err;
  EXPECT_EQ(edited.out, "");
  EXPECT_TRUE(absl::StrContains(edited.err, "withheld"));
  EXPECT_EQ(Call({"generate"}).exit_code, kExitInput);  // nothing to say
}

TEST_F(Commands, TokenizeShowsOneTokenALine) {
  ProcessResult tokens = Call({"tokenize", "--prompt", "hello"});
  EXPECT_EQ(tokens.exit_code, kExitOk);
  EXPECT_TRUE(absl::StartsWith(tokens.out, "1\t\"<s>\\n\"\n2\t\"p1\"\n")) << tokens.out;
}

TEST_F(Commands, DirectionsTurnPagesExportAndDelete) {
  std::string set = Fit();
  ASSERT_EQ(Call({"fit", "--harmful", folder_ / "harmless.txt", "--harmless",
                  folder_ / "harmful.txt", "--figure", ""})
                .exit_code,
            kExitOk);
  ProcessResult list = Call({"directions", "list", "--json"});
  EXPECT_EQ(ParseJson(list.out)->size(), 2u);
  ProcessResult show =
      Call({"directions", "show", set.substr(0, 12), "--layer", "2", "--control", "7/0", "--json"});
  ASSERT_EQ(show.exit_code, kExitOk) << show.err;
  EXPECT_EQ((*ParseJson(show.out))["direction"]["norm"], 2.5);
  ProcessResult vector =
      Call({"directions", "export", set, "--layer", "2", "--control", "7/0", "--format", "json"});
  EXPECT_EQ(vector.out, "[0.1, -2.5, 3e-07]\n") << vector.err;
  EXPECT_EQ(Call({"directions", "export", set}).exit_code, kExitUsage);
  EXPECT_EQ(Call({"directions", "export", set, "--format", "json"}).exit_code, kExitUsage);
  EXPECT_EQ(Call({"directions", "export", set, "--output", folder_ / "d.safetensors"}).exit_code,
            kExitOk);
  EXPECT_GT(fs::file_size(folder_ / "d.safetensors"), 20u);
  EXPECT_EQ(Call({"directions", "import", folder_ / "d.safetensors"}).exit_code, kExitOk);
  EXPECT_EQ(Call({"directions", "delete", set.substr(0, 12)}).exit_code,
            kExitServer);  // the whole id or nothing
  EXPECT_EQ(Call({"directions", "delete", set}).exit_code, kExitOk);
  EXPECT_EQ(ParseJson(Call({"directions", "list", "--json"}).out)->size(), 1u);
  EXPECT_EQ(Call({"directions", "show", set}).exit_code, kExitServer);
}

TEST_F(Commands, ModelAndDoctor) {
  ProcessResult model = Call({"model", "--json"});
  EXPECT_EQ((*ParseJson(model.out))["layers"], 6) << model.err;
  EXPECT_EQ(Call({"model"}).exit_code, kExitOk);
  ProcessResult doctor = Call({"doctor", "--output", folder_.path()});
  EXPECT_EQ(doctor.exit_code, kExitOk) << doctor.out << doctor.err;
  EXPECT_FALSE(absl::StrContains(doctor.out, "FAILED"));
  ProcessResult gateway = Call({"doctor", "--pushgateway", "http://127.0.0.1:1"});
  EXPECT_EQ(gateway.exit_code, kExitFailure);
  service_.Stop();
  EXPECT_EQ(Call({"doctor"}).exit_code, kExitUnreachable);
}

TEST_F(Commands, HelpAndVersionAreNotErrors) {
  EXPECT_EQ(RunSteerctl({"--help"}).exit_code, kExitOk);
  EXPECT_EQ(RunSteerctl({"plan", "splits", "--help"}).exit_code, kExitOk);
  EXPECT_EQ(RunSteerctl({"--version"}).exit_code, kExitOk);
  ProcessResult unknown = RunSteerctl({"dance"});
  EXPECT_EQ(unknown.exit_code, kExitUsage);
  EXPECT_EQ(unknown.out, "");
  EXPECT_FALSE(unknown.err.empty());
}

TEST(References, Parse) {
  auto full = ParseDirection("3fa:14:0.5:control 7/2");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ(full->set, "3fa");
  EXPECT_EQ(full->layer, 14);
  EXPECT_EQ(full->coefficient, 0.5);
  EXPECT_EQ(full->control_seed, 7u);
  EXPECT_EQ(full->control_draw, 2u);
  EXPECT_TRUE(ParseDirection("3fa:14:control=7/2")->has_control);
  EXPECT_TRUE(ParseDirection("3fa:14:7/2")->has_control);
  EXPECT_EQ(ParseDirection("3fa:14")->coefficient, 1);
  for (const char* bad : {"", "3fa", "3fa:", "3fa:-1", "3fa:x", "xyz:1", "3fa:1:y", "3fa:1:nan",
                          "3fa:1:7/0:2", "3fa:1:2:3:4", "3fa:1:7/-1", "3fa:1:1:2"}) {
    EXPECT_FALSE(ParseDirection(bad).ok()) << bad;
  }
}

TEST(VectorFile, RefusesWhatIsNotOneFloat32Vector) {
  auto file = [](const std::string& header, size_t data) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    return bytes + header + std::string(data, '\0');
  };
  EXPECT_TRUE(ParseDirectionFile(
                  file(R"({"direction":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8))
                  .ok());
  EXPECT_FALSE(ParseDirectionFile("").ok());
  EXPECT_FALSE(ParseDirectionFile(file("{}", 0)).ok());
  EXPECT_FALSE(ParseDirectionFile(
                   file(R"({"direction":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}})", 8))
                   .ok());
  EXPECT_FALSE(ParseDirectionFile(
                   file(R"({"direction":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8))
                   .ok());
  EXPECT_FALSE(ParseDirectionFile(
                   file(R"({"direction":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9))
                   .ok());
  std::string nan = file(R"({"direction":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 0) +
                    std::string("\x00\x00\xc0\x7f", 4);
  EXPECT_FALSE(ParseDirectionFile(nan).ok());
  EXPECT_EQ(VectorJson({1.0f / 3, 1e30f}), "[0.33333334, 1e+30]\n");
}

}  // namespace
}  // namespace steer
