// What people get wrong when they start the programs: each mistake ends with its exit code and a message that names
// what is wrong and what to do, before any work is done. Broken checkpoints are in bad_checkpoint_test.cc, TLS files in
// tls_test.cc, tokens in security_test.cc, names in names_test.cc.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "tests/integration/scenario.h"
#include "tests/support/loopback.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

struct Mistake {
  std::vector<std::string> flags;
  int exit_code;
  std::vector<std::string> said;  // each is in the message
  Environment environment = {};
};

void ExpectSaid(const Mistake& mistake, const std::string& program, const ProcessEnd& end,
                const std::string& err) {
  EXPECT_FALSE(end.timed_out) << err;
  EXPECT_EQ(end.exit_code, mistake.exit_code) << err;
  for (const std::string& part : mistake.said) EXPECT_THAT(err, HasSubstr(part));
  // People read it: log lines of a start, then the program's own words, and none of a library's.
  bool named = false;
  for (const absl::string_view line : absl::StrSplit(err, '\n', absl::SkipEmpty())) {
    EXPECT_LT(line.size(), 600u) << line;
    named = named || absl::StartsWith(line, program + ": ");
    EXPECT_THAT(std::string(line), Not(testing::ContainsRegex("\\.cc:[0-9]+\\]|terminate called")));
  }
  EXPECT_TRUE(named) << err;
}

class ServerMistakes : public testing::Test {
 protected:
  ServerMistakes() : scenario_("default") {
    listener_ = ListenAnywhere(&taken_);
    EXPECT_TRUE(WriteFileAtomically(scenario_.Path("file"), "no folder\n").ok());
  }
  ~ServerMistakes() override { CloseHard(listener_); }

  void Expect(const Mistake& mistake) {
    SCOPED_TRACE(absl::StrCat("steerd ", absl::StrJoin(mistake.flags, " ")));
    const std::string err = scenario_.Path("mistake.err");
    fs::remove(err);
    std::vector<std::string> argv = {BuildPath("server/steerd")};
    argv.insert(argv.end(), mistake.flags.begin(), mistake.flags.end());
    const ProcessEnd end = Process(argv, mistake.environment, scenario_.Path("mistake.out"), err)
                               .Wait(absl::Minutes(1));
    ExpectSaid(mistake, "steerd", end, MustRead(err));
  }
  // With flags that start a server, but for those that are given.
  void ExpectOfStart(std::vector<std::string> flags, std::vector<std::string> said) {
    const std::pair<const char*, std::string> good[] = {{"--model", scenario_.model()},
                                                        {"--dtype", "float32"},
                                                        {"--listen", "127.0.0.1:0"},
                                                        {"--metrics-listen", ""},
                                                        {"--store", scenario_.Path("directions")}};
    for (const auto& [flag, value] : good) {
      if (std::find(flags.begin(), flags.end(), flag) != flags.end()) continue;
      flags.insert(flags.end(), {flag, value});
    }
    Expect({std::move(flags), 1, std::move(said)});
  }

  Scenario scenario_;
  int listener_ = -1, taken_ = 0;
};

TEST_F(ServerMistakes, OnTheCommandLine) {
  const std::string model = scenario_.model();
  Expect({{}, 64, {"--model DIR or --model ORG/NAME is required", "Run steerd --help"}});
  Expect({{"--modle", model}, 64, {"there is no flag --modle; did you mean --model?"}});
  Expect({{"--model", model, "stray"}, 64, {"\"stray\" is not understood here"}});
  Expect({{"--model", model, "--device", "tpu"}, 64, {"--device: tpu not in {cpu,cuda}"}});
  Expect({{"--model", model, "--dtype", "int8"}, 64, {"--dtype", "float32,bfloat16,auto"}});
  Expect({{"--model", model, "--decode-rows", "0"}, 64, {"--decode-rows", "1 to 4096"}});
  Expect({{"--model", model, "--threads", "many"}, 64, {"--threads", "many"}});
  Expect(
      {{"--model", model}, 64, {"STEER_FAILPOINTS", "unset it"}, {{"STEER_FAILPOINTS", "x=skip"}}});
  Expect({{"--healthcheck", "--listen", "127.0.0.1:1"}, 1, {"no answer", "Connection refused"}});
  Expect({{"--healthcheck", "--tls-client-ca", "/nowhere/ca.pem"},
          1,
          {"--tls-client-ca: needs --tls-cert and --tls-key"}});
}

TEST_F(ServerMistakes, OfAddresses) {
  const std::string taken = absl::StrCat("127.0.0.1:", taken_);
  ExpectOfStart({"--listen", "everywhere"}, {"--listen: 'everywhere' is not host:port"});
  ExpectOfStart({"--listen", "127.0.0.1:99999"}, {"--listen", "is not host:port"});
  ExpectOfStart({"--listen", "0.0.0.0:0"}, {"--tls-cert", "--tokens-file", "--insecure"});
  ExpectOfStart({"--listen", taken},
                {absl::StrCat("'", taken, "': port ", taken_, " is in use by another program")});
  // An address for documents (RFC 5737): no machine has it.
  ExpectOfStart({"--listen", "192.0.2.1:50051", "--insecure"},
                {"192.0.2.1 is no address of this machine", "127.0.0.1"});
  ExpectOfStart({"--listen", "unix:/nowhere/steerd.socket"},
                {"cannot make a socket in /nowhere", "No such file or directory"});
  ExpectOfStart({"--listen", absl::StrCat("unix:/tmp/", std::string(200, 's'))},
                {"the path has 205 bytes", "107"});
  ExpectOfStart({"--metrics-listen", taken}, {"--metrics-listen", taken, "choose another"});
  ExpectOfStart({"--metrics-listen", "nonsense"}, {"--metrics-listen", "'nonsense'"});
  ExpectOfStart({"--metrics-listen", "0.0.0.0:0"}, {"0.0.0.0:0", "--metrics-insecure"});
}

TEST_F(ServerMistakes, OfFilesAndFolders) {
  const std::string file = scenario_.Path("file");
  ExpectOfStart({"--store", file}, {"--store", file, "Not a directory"});
  ExpectOfStart({"--store", "/proc/nowhere"}, {"--store", "/proc/nowhere"});
  ExpectOfStart({"--audit-log", "/nowhere/audit"}, {"/nowhere/audit", "No such file or directory"});
  ExpectOfStart({"--audit-log", file}, {file, "steerctl audit verify"});
  ExpectOfStart({"--tokens-file", "/nowhere/tokens"}, {"--tokens-file", "/nowhere/tokens"});
  ExpectOfStart({"--port-file", "/nowhere/ports"}, {"--port-file", "/nowhere"});
  ExpectOfStart({"--port-file", scenario_.model()}, {scenario_.model(), "Is a directory"});
  ExpectOfStart({"--tls-cert", file}, {"--tls-cert and --tls-key", "together"});
  // Two servers on one store.
  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  ExpectOfStart({}, {"another process uses the direction store", scenario_.Path("directions")});
}

TEST_F(ServerMistakes, OfMemoryAndDevice) {
  ExpectOfStart({"--memory-limit", "plenty"}, {"--memory-limit", "plenty", "MiB"});
  ExpectOfStart({"--memory-limit", "1MiB"}, {"the model does not fit", "weights", "KV arena"});
  // Of libtorch's own library or, where that is there, of the plugin.
  ExpectOfStart({"--device", "cuda", "--cuda-plugin", "/nowhere/plugin.so"},
                {"--device cuda: cannot load lib"});
}

// The program that serves lies beside the one that people start.
TEST_F(ServerMistakes, OfAnInstallationThatLacksItsServer) {
  const std::string alone = scenario_.Path("steerd"), err = scenario_.Path("alone.err");
  fs::copy_file(BuildPath("server/steerd"), alone);
  const ProcessEnd end =
      Process({alone, "--model", scenario_.model()}, {}, scenario_.Path("alone.out"), err)
          .Wait(absl::Minutes(1));
  ExpectSaid({{},
              1,
              {"cannot start ", "/steerd-serve: No such file or directory",
               "it is installed beside steerd"}},
             "steerd", end, MustRead(err));
}

// Metrics and a port file may be left out, and a model may have another name than its folder.
TEST_F(ServerMistakes, AreNotWhatMayBeLeftOut) {
  const std::string err = scenario_.Path("bare.err");
  Process server({BuildPath("server/steerd"), "--model", scenario_.model(), "--name", "renamed",
                  "--dtype", "float32", "--listen", "127.0.0.1:0", "--metrics-listen", "",
                  "--store", scenario_.Path("directions")},
                 {}, scenario_.Path("bare.out"), err);
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (server.running() && absl::Now() < end &&
         !absl::StrContains(ReadFile(err).value_or(""), "serving renamed (")) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_THAT(MustRead(err), HasSubstr(", metrics port 0"));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(absl::Minutes(1)).exit_code, 0) << MustRead(err);
}

// What it is started with by hand it reads as steerd does.
TEST_F(ServerMistakes, AreTheSameToTheProgramThatServes) {
  const std::string err = scenario_.Path("serve.err");
  const ProcessEnd end = Process({BuildPath("server/steerd-serve"), "--modle", "x"}, {},
                                 scenario_.Path("serve.out"), err)
                             .Wait(absl::Minutes(1));
  ExpectSaid({{}, 64, {"there is no flag --modle; did you mean --model?"}}, "steerd", end,
             MustRead(err));
}

// A health check comes every few seconds, and libtorch takes longer to load than one may. So the
// program that answers it, and says what is above of command lines, does not load libtorch.
TEST_F(ServerMistakes, AreAnsweredWithoutLoadingTorch) {
  // The loader lists what it would load, and runs nothing.
  const auto libraries = [&](const std::string& program) {
    const std::string out = scenario_.Path(program + ".libraries");
    Process({BuildPath("server/" + program)}, {{"LD_TRACE_LOADED_OBJECTS", "1"}}, out,
            scenario_.Path("loader.err"))
        .Wait(absl::Minutes(1));
    return MustRead(out);
  };
  EXPECT_THAT(libraries("steerd-serve"), HasSubstr("libtorch_cpu.so"));
  const std::string steerd = libraries("steerd");
  EXPECT_THAT(steerd, HasSubstr("libgrpc"));
  EXPECT_THAT(steerd, Not(HasSubstr("torch")));
}

class ClientMistakes : public testing::Test {
 protected:
  // Where nobody listens, until a test starts a server.
  ClientMistakes() : scenario_("default") { scenario_.set_ctl_servers("127.0.0.1:1"); }

  void Expect(const Mistake& mistake) {
    SCOPED_TRACE(absl::StrCat("steerctl ", absl::StrJoin(mistake.flags, " ")));
    std::vector<std::string> arguments = {"--patience", "0"};
    arguments.insert(arguments.end(), mistake.flags.begin(), mistake.flags.end());
    const CommandResult result = scenario_.Ctl(arguments, mistake.environment);
    ExpectSaid(mistake, "steerctl", result.end, result.err);
  }

  Scenario scenario_;
};

TEST_F(ClientMistakes, OnTheCommandLine) {
  Expect({{}, 2, {"A subcommand is required", "Run steerctl --help"}});
  Expect({{"modle"}, 2, {"\"modle\"", "did you mean model?"}});
  // The first word that is unknown, whatever follows.
  Expect({{"reprodce", "runs/mine"}, 2, {"\"reprodce\"", "did you mean reproduce?"}});
  Expect(
      {{"model", "--patiense", "3"}, 2, {"there is no flag --patiense; did you mean --patience?"}});
  Expect({{"run"}, 2, {"LOCK is required"}});
  Expect({{"token", "new", "--role", "king", "--name", "n"}, 2, {"king", "read,run,admin"}});
  Expect({{"generate"}, 3, {"there is no prompt", "--prompt"}});
  Expect({{"push", "/nowhere", "--push-gateway", "nonsense"}, 2, {"--push-gateway 'nonsense'"}});
  scenario_.set_ctl_servers("nonsense");
  Expect({{"model"}, 2, {"--server 'nonsense' is not host:port"}});
}

TEST_F(ClientMistakes, OfFilesAndFolders) {
  const std::string text = scenario_.Path("plan.yaml"), json = scenario_.Path("other.json");
  ASSERT_TRUE(WriteFileAtomically(text, "version: 1\nname: x\n").ok());
  ASSERT_TRUE(WriteFileAtomically(json, "{}\n").ok());
  Expect({{"plan", "check", "/nowhere/plan.yaml"}, 3, {"/nowhere/plan.yaml", "No such file"}});
  Expect({{"plan", "check", text}, 3, {text, "model"}});
  Expect({{"run", "/nowhere/lock"}, 3, {"/nowhere/lock", "No such file"}});
  Expect({{"run", text}, 3, {text, "is no lock", "steerctl plan freeze"}});
  Expect({{"run", json}, 3, {json}});
  Expect({{"report", "/nowhere"}, 8, {"/nowhere", "name a folder that `run` wrote"}});
  Expect({{"model", "--token-file", "/nowhere/token"}, 3, {"--token-file", "/nowhere/token"}});
  Expect({{"model", "--tls-ca", "/nowhere/ca.pem"}, 3, {"--tls-ca", "/nowhere/ca.pem"}});
  Expect({{"evaluate", "--prompts", "/nowhere/p.jsonl"}, 3, {"no such file", "--data-root"}});
  Expect({{"audit", "verify", "/nowhere/audit"}, 3, {"/nowhere/audit", "No such file"}});
}

TEST_F(ClientMistakes, OfTheServer) {
  Expect({{"model"}, 4, {"127.0.0.1:1", "Is it running?", "--server"}});
  Expect({{"push", scenario_.folder(), "--push-gateway", "http://127.0.0.1:1"}, 8, {"lock.json"}});
  Expect({{"forget", "x", "--push-gateway", "http://127.0.0.1:1"}, 11, {"no Pushgateway answers"}});

  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  scenario_.set_ctl_servers("");
  Expect({{"model", "--tls"}, 4, {"the server does not speak TLS"}});
  Expect({{"directions", "show", "abc"}, 5, {"abc", "steerctl directions list"}});
  const std::string lock = scenario_.FreezeSmallPlan("small", 4, 2, 2);
  const std::vector<std::string> run = {"run", lock, "--data-root", scenario_.model(), "--output"};
  const auto into = [&](const std::string& folder) {
    std::vector<std::string> flags = run;
    flags.push_back(folder);
    return flags;
  };
  Expect({into("/proc/nowhere"), 7, {"--output", "/proc/nowhere"}});
  Expect({into(scenario_.Path("small.yaml")), 7, {"--output", "Not a directory"}});
  Expect({{"plan", "freeze", scenario_.Path("small.yaml"), "--data-root", scenario_.model(),
           "--output", "/proc/nowhere.lock"},
          7,
          {"cannot write the lock", "--output", "/proc/nowhere.lock"}});
  Expect({{"run", lock, "--data-root", "/nowhere", "--output", scenario_.Path("run")},
          3,
          {"/nowhere/harmful.jsonl", "no such file", "--data-root"}});

  // The same port, another model: named on both sides.
  scenario_.StopServer();
  const Scenario other("weak");
  scenario_.set_model(other.model());
  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  Expect({into(scenario_.Path("run")),
          5,
          {"not the one that the plan was frozen for", "fingerprint"}});
}

}  // namespace
}  // namespace steer
