// What users get wrong and servers refuse, subcommand by subcommand: the exit code, and a message
// that names the flag or file, the cause and what to do. Mistakes that need real programs are in
// tests/integration/mistakes_test.cc.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/exit_code.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/commands/edited_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

struct Mistake {
  std::vector<std::string> words;
  int exit_code;
  std::vector<std::string> said;
};

class Mistakes : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path());
    service_.Start();
    servers_ = service_.address();
  }
  ProcessResult Call(std::vector<std::string> arguments, const ProcessOptions& options = {}) {
    arguments.insert(arguments.end(), {"--server", servers_, "--patience", "0"});
    ProcessResult result = RunSteerctl(arguments, options);
    EXPECT_FALSE(absl::StrContains(result.out + result.err, kCanary));
    return result;
  }
  void Expect(const Mistake& mistake, const ProcessOptions& options = {}) {
    SCOPED_TRACE(absl::StrJoin(mistake.words, " "));
    const ProcessResult result = Call(mistake.words, options);
    EXPECT_EQ(result.exit_code, mistake.exit_code) << result.out << result.err;
    // Notes may stand before it.
    EXPECT_TRUE(absl::StrContains("\n" + result.err, "\nsteerctl: ")) << result.err;
    for (const std::string& part : mistake.said) {
      EXPECT_TRUE(absl::StrContains(result.err, part)) << part << "\n" << result.err;
    }
  }
  void ExpectAll(const std::vector<Mistake>& mistakes) {
    for (const Mistake& mistake : mistakes) Expect(mistake);
  }
  std::vector<std::string> FitWords() const {
    return {"fit", "--harmful", folder_ / "harmful.txt", "--harmless", folder_ / "harmless.txt"};
  }
  std::string Fit() {
    std::vector<std::string> words = FitWords();
    words.insert(words.end(), {"--figure", "", "--json"});
    return (*ParseJson(Call(words).out))["set_id"].get<std::string>();
  }
  void Freeze() {
    const ProcessResult frozen = Call({"plan", "freeze", plan(), "--output", lock()});
    EXPECT_EQ(frozen.exit_code, kExitOk) << frozen.err;
  }
  std::string plan() const { return folder_ / "plan.yaml"; }
  std::string lock() const { return folder_ / "lock.json"; }
  std::string harmful() const { return folder_ / "harmful.txt"; }

  TemporaryFolder folder_;
  EditedService service_;
  std::string servers_;
};

TEST_F(Mistakes, OfDirections) {
  const std::string set = Fit();
  ExpectAll({
      {{"directions", "show", set, "--control", "7/0"}, kExitUsage, {"--control", "--layer"}},
      {{"directions", "show", set, "--layer", "1", "--control", "x"},
       kExitUsage,
       {"--control: 'x' is not SEED/DRAW, as 7/0"}},
      {{"directions", "show", set, "--layer", "1", "--control", "1/2/3"},
       kExitUsage,
       {"--control"}},
      {{"directions", "show", set, "--layer", "1", "--control", "1/2147483648"},
       kExitUsage,
       {"--control"}},
      {{"directions", "show", "xyz"}, kExitServer, {"'xyz' is not the beginning of a set id"}},
      {{"directions", "export", set, "--output", folder_ / "d", "--control", "7/0"},
       kExitUsage,
       {"--control", "--layer"}},
      {{"directions", "export", set}, kExitUsage, {"binary", "--output"}},
      {{"directions", "export", "ffff", "--output", folder_ / "d"},
       kExitServer,
       {"no set begins with ffff", "steerctl directions list"}},
      {{"directions", "export", std::string(64, 'f'), "--without-states", "--output",
        folder_ / "d"},
       kExitServer,
       {"SET_NOT_FOUND"}},
      {{"directions", "export", set, "--output", folder_ / "absent/d"},
       kExitDisk,
       {"cannot write the direction", folder_ / "absent/d"}},
      // A server that sends another file than was asked for.
      {{"directions", "export", set, "--layer", "1", "--format", "json", "--without-states"},
       kExitServer,
       {"the exported direction is not as it must be"}},
      {{"directions", "import", folder_ / "absent"}, kExitInput, {folder_ / "absent"}},
  });
  const std::string file = folder_ / "set";
  ASSERT_EQ(Call({"directions", "export", set, "--without-states", "--output", file}).exit_code, 0);
  service_.behaviour.model_fingerprint = std::string(64, 'e');
  Expect({{"directions", "import", file}, kExitServer, {"MODEL_MISMATCH"}});
}

TEST_F(Mistakes, ABeginningThatTwoSetsHave) {
  service_.behaviour.edit_set = [](v1::DirectionSet* set) {
    set->set_set_id("ab" + set->set_id().substr(2));
  };
  Fit();
  std::vector<std::string> words = FitWords();
  words.insert(words.end(), {"--limit", "9", "--figure", ""});
  ASSERT_EQ(Call(words).exit_code, kExitOk);
  Expect({{"directions", "show", "ab"},
          kExitServer,
          {"several sets begin with ab; give more digits"}});
}

TEST_F(Mistakes, OfInterventions) {
  const std::string set = Fit();
  const std::vector<std::string> generate = {"generate", "--prompt", "hello"};
  auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = generate;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  ExpectAll({
      {with({"--ablate", "nonsense"}), kExitInput, {"--ablate: 'nonsense' is not SET:LAYER"}},
      {with({"--add", set}), kExitInput, {"--add: ", "is not SET:LAYER"}},
      {with({"--add", "fffe:1"}), kExitInput, {"no set begins with fffe"}},
      {with({"--ablate", "fffe:1"}), kExitInput, {"no set begins with fffe"}},
      {with({"--ablate", set + ":1:0.5", "--ablate", set + ":2"}),
       kExitInput,
       {"--ablate: directions that are removed together need one fraction; 0.5 and 1 are given"}},
      {{"evaluate", "--prompts", harmful(), "--add", "1"}, kExitInput, {"--add: '1' is not SET"}},
  });
  EXPECT_EQ(Call(with({"--ablate", set + ":1:0.5", "--ablate", set + ":2:0.5"})).exit_code,
            kExitOk);
  EXPECT_EQ(service_.generate_request().intervention().ops(0).ablate().directions_size(), 2);
}

TEST_F(Mistakes, OfPrompts) {
  WriteAll(folder_ / "blank.txt", "\n \n");
  WriteAll(folder_ / "p.csv", "prompt\nhello\n");
  WriteAll(folder_ / "p.json", "[{\"prompt\":\"hello\"}]");
  WriteAll(folder_ / "P.JSONL", "{\"prompt\":\"hello\"}\n");
  ExpectAll({
      {{"evaluate", "--prompts", folder_ / "blank.txt"},
       kExitInput,
       {"--prompts: ", "blank.txt holds no prompt"}},
      {{"evaluate", "--prompts", folder_ / "p.csv"},
       kExitInput,
       {"p.csv is CSV: name the column that holds the prompts with --field"}},
      {{"evaluate", "--prompts", folder_ / "p.json", "--field", "text"}, kExitInput, {"text"}},
      {{"fit", "--harmful", folder_ / "p.csv", "--harmless", harmful()},
       kExitInput,
       {"with --harmful-field"}},
      {{"fit", "--harmful", harmful(), "--harmless", folder_ / "p.csv"},
       kExitInput,
       {"with --harmless-field"}},
      {{"fit", "--harmful", harmful()}, kExitUsage, {"both --harmful and --harmless"}},
      {{"tokenize", "--prompt", ""}, kExitInput, {"there is no prompt", "--prompt"}},
  });
  for (const char* name : {"p.csv", "p.json", "P.JSONL"}) {
    const ProcessResult result =
        Call({"evaluate", "--prompts", folder_ / name, "--field", "prompt", "--json"});
    EXPECT_EQ(result.exit_code, kExitOk) << name << result.err;
    EXPECT_EQ((*ParseJson(result.out))["n"], 1) << name;
  }
  ProcessOptions input;
  input.input = std::string(40000, 'x');
  Expect({{"tokenize"}, kExitInput, {"the prompt has more than 32768 bytes"}}, input);
}

TEST_F(Mistakes, OfLocksAndFolders) {
  Freeze();
  ASSERT_EQ(Call({"run", lock(), "--output", folder_ / "run"}).exit_code, kExitOk);
  WriteAll(folder_ / "bad.json", "{}");
  const std::string bad = folder_ / "bad.json";
  ExpectAll({
      {{"fit", bad}, kExitInput, {"bad.json: not a lock; `steerctl plan freeze` makes one"}},
      {{"plan", "show", bad}, kExitInput, {"not a lock"}},
      {{"plan", "splits", bad}, kExitInput, {"not a lock"}},
      {{"plan", "splits", lock(), "--output", folder_ / "p", "--seed", "9"},
       kExitUsage,
       {"--seed 9 is not a seed of ", lock()}},
      // A lock beside cells, or a run folder below which the file would lie.
      {{"plan", "splits", lock(), "--output", folder_ / "run/deep/p"},
       kExitUsage,
       {"--output ", "lies in a run folder"}},
      {{"plan", "splits", lock(), "--output", folder_ / std::string(300, 'x') + "/p"},
       kExitDisk,
       {"cannot write the splits"}},
  });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "p"));
}

// Of the folder that holds a lock, everything below is a run folder, whatever else is there.
TEST_F(Mistakes, SplitsAreWrittenOutsideOfRunFoldersOnly) {
  const std::string elsewhere = folder_ / "elsewhere";
  std::filesystem::create_directory(elsewhere);
  ASSERT_EQ(Call({"plan", "freeze", plan(), "--output", folder_ / "my.lock"}).exit_code, kExitOk);
  const std::vector<std::string> splits = {"plan", "splits", folder_ / "my.lock", "--output"};
  auto into = [&](const std::string& path) {
    std::vector<std::string> words = splits;
    words.push_back(path);
    return words;
  };
  EXPECT_EQ(Call(into(elsewhere + "/p")).exit_code, kExitOk);
  EXPECT_TRUE(absl::StrContains(ReadAll(elsewhere + "/p"), kCanary));
  Expect({into(elsewhere + "/absent/p"), kExitDisk, {"cannot write the splits", elsewhere}});
  for (const char* name : {"cells.jsonl", "lock.json"}) {
    WriteAll(elsewhere + "/" + name, "");
    Expect({into(elsewhere + "/q"), kExitUsage, {"--output ", "lies in a run folder"}});
    std::filesystem::remove(elsewhere + "/" + name);
  }
  // The data are no longer what was locked.
  WriteAll(harmful(), ReadAll(harmful()) + "one more\n");
  Expect({into(elsewhere + "/q"), kExitInput, {"harmful.txt"}});
  Expect({{"fit", folder_ / "my.lock", "--seed", "0"}, kExitInput, {"harmful.txt"}});
}

TEST_F(Mistakes, OfPlans) {
  service_.behaviour.limits.set_max_new_tokens(4);
  const ProcessResult check = Call({"plan", "check", plan(), "--trial"});
  EXPECT_EQ(check.exit_code, kExitInput) << check.err;
  EXPECT_TRUE(service_.evaluate_requests().empty()) << "a plan that cannot run is not timed";
  Expect({{"plan", "freeze", plan()}, kExitInput, {"max_new_tokens"}});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "plan.lock.json"));
  WriteAll(folder_ / "bad.yaml", "version: 1\n");
  Expect({{"plan", "freeze", folder_ / "bad.yaml"}, kExitInput, {"bad.yaml"}});
}

// A lock that could not be read back is worth nothing, and is not written.
TEST_F(Mistakes, APlanThatWouldFreezeIntoNoLock) {
  service_.edit_model = [](v1::GetModelResponse* model) { model->set_layers(5000); };
  Expect({{"plan", "freeze", plan(), "--output", lock()},
          kExitInput,
          {"the plan cannot be frozen: ", "layers"}});
  EXPECT_FALSE(std::filesystem::exists(lock()));
}

TEST_F(Mistakes, WithoutRandomBytesThereIsNoToken) {
  WriteAll(folder_ / "openssl.cnf",
           "openssl_conf = init\n[init]\nrandom = generator\n[generator]\nrandom = NONE\n");
  ProcessOptions options;
  options.before = absl::StrCat("export OPENSSL_CONF=", folder_ / "openssl.cnf");
  Expect({{"token", "new", "--role", "run", "--name", "n", "--output", folder_ / "token"},
          kExitFailure,
          {"gave no random bytes (NO_RANDOMNESS)"}},
         options);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "token"));
}

TEST_F(Mistakes, OfNames) {
  ExpectAll({
      {{"token", "new", "--role", "run", "--name", "no good"}, kExitUsage, {"--name: 1 to 64"}},
      {{"audit", "verify", plan(), "--head", "ABC"},
       kExitUsage,
       {"--head: 64 lower-case hex digits are needed"}},
  });
}

TEST_F(Mistakes, AFigureThatCannotBeDrawnOrWritten) {
  std::vector<std::string> words = FitWords();
  words.insert(words.end(), {"--figure", folder_ / "absent/f.svg"});
  Expect({words, kExitDisk, {"cannot write the figure", folder_ / "absent/f.svg"}});
  words.back() = folder_ / "f.svg";
  ProcessOptions without;
  without.path = "/nowhere";
  Expect({words, kExitFigure, {"gnuplot"}}, without);
}

// Every command that asks a server passes on what it is refused, and its code.
TEST_F(Mistakes, WhatTheServerRefuses) {
  const std::string set = Fit();
  Freeze();
  const std::vector<std::string> check = {"plan", "check", plan()};
  std::vector<std::string> fit = FitWords();
  const std::pair<const char*, std::vector<std::string>> refusals[] = {
      {"GetModel", {"model"}},
      {"GetModel", fit},
      {"GetModel", check},
      {"GetModel", {"evaluate", "--prompts", harmful()}},
      {"GetModel", {"generate", "--prompt", "hello"}},
      {"Tokenize", {"tokenize", "--prompt", "hello"}},
      {"Tokenize", check},
      {"Generate", {"generate", "--prompt", "hello"}},
      {"FitDirection", {"fit", lock(), "--seed", "0"}},
      {"ListDirections", {"directions", "list"}},
      {"ListDirections", {"directions", "show", set.substr(0, 8)}},
  };
  for (const auto& [method, words] : refusals) {
    SCOPED_TRACE(method);
    service_.refused.clear();
    service_.Refuse(method);
    Expect({words, kExitServer, {"not for you", "NOT_ALLOWED"}});
  }
  service_.refused.clear();
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest&) {
    return DetailedStatus(grpc::StatusCode::PERMISSION_DENIED, "not for you", "NOT_ALLOWED");
  };
  Expect({{"evaluate", "--prompts", harmful()}, kExitServer, {"not for you"}});
  Expect({{"plan", "check", plan(), "--trial"}, kExitServer, {"not for you"}});
}

// Of several servers, which one it was.
TEST_F(Mistakes, WhichServerRefused) {
  EditedService other;
  other.Start();
  other.Refuse("GetModel");
  servers_ = absl::StrCat(service_.address(), ",", other.address());
  Expect({{"plan", "check", plan()}, kExitServer, {other.address() + ": not for you"}});
}

TEST_F(Mistakes, OfServers) {
  Freeze();
  ASSERT_EQ(Call({"run", lock(), "--output", folder_ / "run"}).exit_code, kExitOk);
  servers_ = absl::StrCat(service_.address(), ",", service_.address());
  const std::string twice = absl::StrCat("--server names ", service_.address(), " twice");
  const std::string one = "--server names several servers; this command speaks to one";
  ExpectAll({
      {{"plan", "check", plan()}, kExitUsage, {twice}},
      {{"plan", "freeze", plan()}, kExitUsage, {twice}},
      {{"doctor"}, kExitUsage, {twice}},
      {{"evaluate", "--prompts", harmful()}, kExitUsage, {one}},
      {{"generate", "--prompt", "hello"}, kExitUsage, {one}},
      {{"tokenize", "--prompt", "hello"}, kExitUsage, {one}},
      {FitWords(), kExitUsage, {one}},
  });
  Expect({{"reproduce", folder_ / "run"}, kExitUsage, {twice}});
  servers_ = "nonsense";
  Expect({{"reproduce", folder_ / "run"}, kExitUsage, {"--server 'nonsense' is not host:port"}});
  service_.Stop();
  servers_ = service_.address();
  Expect({FitWords(), kExitUnreachable, {"no answer from steerd at ", "--patience"}});
}

}  // namespace
}  // namespace steer
