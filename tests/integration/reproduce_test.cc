// A results folder in a stranger's hands: the real programs say whether it is whole, and the commands
// that `reproduce` prints, run by a real shell, make the same run again.
#include <signal.h>
#include <stdlib.h>

#include <filesystem>

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "tests/integration/scenario.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Names that a shell would take apart.
constexpr char kFolder[] = "it's a $HOME `run` \"1\" * & #2;\n(x)";
constexpr char kAgain[] = "--again $(touch pwned) 'y'";
constexpr char kData[] = "data ' $(touch pwned)";

class Reproduce : public testing::Test {
 protected:
  void SetUp() override {
    // Not the shapes that steerd has by itself.
    ASSERT_TRUE(scenario_.StartServer({}, {"--threads", "1", "--decode-rows", "4"}))
        << scenario_.server_log();
    lock_ = scenario_.FreezeSmallPlan("small", 12, 4, 6, "[0, 1]");
    ASSERT_FALSE(lock_.empty());
    CommandResult run = scenario_.Ctl(scenario_.RunArguments(lock_, Run()));
    ASSERT_EQ(run.end.exit_code, 0) << run.err;
    fs::create_directory_symlink(scenario_.model(), Data());
  }

  std::string Run() const { return scenario_.Path(kFolder); }
  std::string Again() const { return scenario_.Path(kAgain); }
  std::string Data() const { return scenario_.Path(kData); }

  CommandResult Check(const std::string& folder, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"reproduce", folder, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return scenario_.Ctl(arguments);
  }

  // As pasted: `sh` with both programs on its path.
  std::unique_ptr<Process> Shell(const std::string& command, const std::string& name,
                                 Environment environment = {}) {
    environment["PATH"] =
        absl::StrCat(BuildPath("client"), ":", BuildPath("server"), ":",
                     getenv("PATH") != nullptr ? getenv("PATH") : "/usr/bin:/bin");
    return std::make_unique<Process>(
        std::vector<std::string>{"/bin/sh", "-c",
                                 absl::StrCat("cd ", scenario_.folder(), " && ", command)},
        environment, scenario_.Path(name + ".out"), scenario_.Path(name + ".err"));
  }

  static std::string State(const Json& json, const std::string& what) {
    for (const Json& check : json["checks"]) {
      if (check["check"] == what) return check["state"];
    }
    return "no such check";
  }

  Scenario scenario_{"default"};
  std::string lock_;
};

TEST_F(Reproduce, ThePrintedCommandsMakeTheSameRunAgain) {
  CommandResult result = Check(Run(), {"--data-root", Data(), "--output", Again()});
  ASSERT_EQ(result.end.exit_code, 0) << result.out << result.err;
  auto json = ParseJson(result.out);
  ASSERT_TRUE(json.ok()) << json.status();
  for (const Json& check : (*json)["checks"]) EXPECT_EQ(check["state"], "ok") << check;
  // Both programs say what they were built from.
  EXPECT_THAT((*json)["made_by"]["clients"][0].get<std::string>(), HasSubstr("+"));
  EXPECT_EQ((*json)["made_by"]["servers"][0]["version"], (*json)["made_by"]["clients"][0]);
  EXPECT_EQ((*json)["made_by"]["servers"][0]["proven"], true);
  const Json commands = (*json)["commands"];
  ASSERT_EQ(commands.size(), 4u);

  // The server as the first command has it: the numeric fingerprint must come out again.
  scenario_.StopServer();
  fs::remove(scenario_.Path("ports.json"));
  const std::string steerd = commands[0]["command"];
  EXPECT_THAT(steerd, HasSubstr("--threads 1 --decode-rows 4"));
  // As long as MODEL is not set, nothing starts.
  auto unset = Shell(steerd + " --listen 127.0.0.1:0", "unset");
  EXPECT_EQ(unset->Wait(absl::Seconds(30)).exit_code, 2);
  EXPECT_THAT(MustRead(scenario_.Path("unset.err")), HasSubstr("set MODEL to"));
  auto server =
      Shell(absl::StrCat("exec ", steerd, " --listen ", scenario_.address(),
                         " --metrics-listen '' --store directions-2 --port-file ports.json"),
            "second", {{"MODEL", scenario_.model()}});
  for (absl::Time end = absl::Now() + absl::Seconds(60);
       !fs::exists(scenario_.Path("ports.json")) && server->running() && absl::Now() < end;)
    absl::SleepFor(absl::Milliseconds(10));
  ASSERT_TRUE(server->running()) << MustRead(scenario_.Path("second.err"));

  // Check, run, compare: as printed, in their order.
  for (size_t i = 1; i < commands.size(); ++i) {
    const std::string name = absl::StrCat("step-", i);
    EXPECT_TRUE(commands[i]["fill_in"].empty());
    auto step = Shell(commands[i]["command"], name);
    EXPECT_EQ(step->Wait(absl::Minutes(2)).exit_code, 0)
        << commands[i]["command"] << "\n"
        << MustRead(scenario_.Path(name + ".out")) << MustRead(scenario_.Path(name + ".err"));
  }
  EXPECT_THAT(MustRead(scenario_.Path("step-1.out")), HasSubstr("the same bits are expected"));
  EXPECT_THAT(MustRead(scenario_.Path("step-3.out")), HasSubstr("reproduced, byte for byte"));
  EXPECT_EQ(MustRead(Run() + "/summary.json"), MustRead(Again() + "/summary.json"));
  EXPECT_FALSE(fs::exists(scenario_.Path("pwned"))) << "a name was run";

  // The text for people holds the same lines.
  CommandResult text = scenario_.Ctl({"reproduce", scenario_.Path(kAgain), "--data-root", Data()});
  ASSERT_EQ(text.end.exit_code, 0) << text.err;
  int lines = 0;
  for (absl::string_view line : absl::StrSplit(text.out, '\n')) {
    if (!absl::StartsWith(line, "steerctl run ")) continue;
    ++lines;
    auto step = Shell(std::string(line), "pasted");
    EXPECT_EQ(step->Wait(absl::Minutes(2)).exit_code, 0) << MustRead(scenario_.Path("pasted.err"));
  }
  EXPECT_EQ(lines, 1) << text.out;
  EXPECT_TRUE(fs::exists(Again() + "-again/summary.json"));
  EXPECT_FALSE(fs::exists(scenario_.Path("pwned")));
}

TEST_F(Reproduce, TamperingIsNamed) {
  ASSERT_EQ(Check(Run()).end.exit_code, 0);
  for (const char* name : {"lock.json", "cells.jsonl", "summary.json", "verdict.json", "figure.svg",
                           "figure.png", "report.html"}) {
    const std::string path = absl::StrCat(Run(), "/", name), bytes = MustRead(path);
    std::string changed = bytes;
    changed[bytes.size() / 3] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(path, changed).ok());
    CommandResult result = Check(Run());
    EXPECT_EQ(result.end.exit_code, 3) << name << result.out;
    const auto json = ParseJson(result.out);
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(State(*json, name), "differs") << result.out;
    ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  }
  EXPECT_EQ(Check(Run()).end.exit_code, 0);
}

TEST_F(Reproduce, SetsOfSeveralServersAreCheckedToo) {
  Scenario second("default");
  ASSERT_TRUE(second.StartServer({}, {"--threads", "1", "--decode-rows", "4"}))
      << second.server_log();
  scenario_.set_ctl_servers(absl::StrCat(scenario_.address(), ",", second.address()));
  const std::string spread = scenario_.Path("spread");
  ASSERT_EQ(scenario_.Ctl(scenario_.RunArguments(lock_, spread)).end.exit_code, 0);
  CommandResult result = Check(spread, {"--against", Run()});
  EXPECT_EQ(result.end.exit_code, 0) << result.out;
  int sets = 0;
  for (const auto& entry : fs::directory_iterator(spread + "/sets")) {
    const std::string path = entry.path(), bytes = MustRead(path);
    const std::string what = "sets/" + entry.path().filename().string();
    EXPECT_EQ(State(*ParseJson(result.out), what), "ok") << result.out;
    // A weight, the facts, a cut: each is found.
    for (const size_t at : {size_t{20}, size_t{9}, bytes.size() / 2, bytes.size() - 1}) {
      std::string changed = bytes;
      changed[at] ^= 1;
      ASSERT_TRUE(WriteFileAtomically(path, changed).ok());
      CommandResult damaged = Check(spread);
      EXPECT_EQ(damaged.end.exit_code, 3);
      EXPECT_EQ(State(*ParseJson(damaged.out), what), "differs") << damaged.out;
    }
    // As if it were another seed's.
    ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
    const std::string other = absl::StrCat(spread, "/sets/", std::string(64, 'a'), ".safetensors");
    fs::copy(path, other);
    EXPECT_EQ(Check(spread).end.exit_code, 3);
    fs::remove(other);
    ++sets;
  }
  EXPECT_EQ(sets, 2);
  EXPECT_EQ(Check(spread).end.exit_code, 0);
}

TEST_F(Reproduce, AFolderThatIsBeingWrittenIsInUse) {
  auto run = scenario_.StartCtl(scenario_.RunArguments(lock_, scenario_.Path("busy")), "busy-run");
  for (absl::Time end = absl::Now() + absl::Minutes(1);
       !fs::exists(scenario_.Path("busy/cells.jsonl")) && absl::Now() < end;)
    absl::SleepFor(absl::Milliseconds(1));
  // Held in the middle, so that it cannot come to its end first.
  run->Signal(SIGSTOP);
  CommandResult result = Check(scenario_.Path("busy"));
  run->Signal(SIGCONT);
  EXPECT_EQ(result.end.exit_code, 8) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("FOLDER_IN_USE"));
  EXPECT_EQ(run->Wait(absl::Minutes(2)).exit_code, 0);
  EXPECT_EQ(Check(scenario_.Path("busy"), {"--against", Run()}).end.exit_code, 0);
}

}  // namespace
}  // namespace steer
