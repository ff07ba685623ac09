// Text stays inside: a model whose prompts, completions, vocabulary and template carry marked
// strings is fitted, evaluated, asked for text, sent bad requests and crashed; then every file,
// log, metric page, audit log and output of both programs is searched for the marks.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "common/audit_chain.h"
#include "common/files.h"
#include "tests/integration/leftovers.h"
#include "tests/integration/scenario.h"

namespace steer {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Canary : public testing::Test {
 protected:
  // The model under test: the planted one, its words renamed. Ids stay, so the network does what it
  // did; what it says and is asked is marked.
  void SetUp() override {
    const std::string marked = scenario_.Path("marked-model");
    MarkModel(scenario_.model(), marked);
    scenario_.set_model(marked);
    // As large a core file as we may have: it must not come all the same.
    rlimit core = {};
    getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = core.rlim_max;
    setrlimit(RLIMIT_CORE, &core);
    fs::create_directory(scenario_.Path("tmp"));
    environment_ = {{"TMPDIR", scenario_.Path("tmp")}};
  }

  void Serve(const std::string& failpoints = "", const std::vector<std::string>& more = {}) {
    Environment environment = environment_;
    if (!failpoints.empty()) environment["STEER_FAILPOINTS"] = failpoints;
    std::vector<std::string> flags = {"--audit-log", scenario_.Path("audit.jsonl"), "--threads",
                                      "1"};
    flags.insert(flags.end(), more.begin(), more.end());
    ASSERT_TRUE(scenario_.StartServer(environment, flags)) << scenario_.server_log();
  }
  void KeepMetrics() {
    const std::string page = scenario_.MetricsPage();
    EXPECT_THAT(page, HasSubstr("steer_rows_total"));
    ASSERT_TRUE(WriteFileAtomically(scenario_.Path(absl::StrCat("metrics-", pages_++)), page).ok());
  }
  CommandResult Ctl(const std::vector<std::string>& arguments, const std::string& failpoints = "") {
    Environment environment = environment_;
    if (!failpoints.empty()) environment["STEER_FAILPOINTS"] = failpoints;
    return scenario_.Ctl(arguments, environment);
  }

  // Files that hold a mark, but for those named.
  std::vector<std::string> Hits(const std::vector<std::string>& allowed) {
    int searched = 0;
    std::vector<std::string> hits =
        FilesThatHold(scenario_.folder(), {kMarkSought}, {scenario_.model()}, &searched);
    EXPECT_GT(searched, 20);
    hits.erase(std::remove_if(hits.begin(), hits.end(),
                              [&](const std::string& path) {
                                return std::count(allowed.begin(), allowed.end(),
                                                  fs::path(path).filename().string()) > 0;
                              }),
               hits.end());
    return hits;
  }

  Scenario scenario_{"default"};
  Environment environment_;
  int pages_ = 0;
};

TEST_F(Canary, NoMarkedStringLeaves) {
  Serve();
  const std::string lock = scenario_.FreezeSmallPlan("small", 12, 4, 6);
  ASSERT_NE(lock, "");
  // Fit and evaluate, crashed on the client's side on the way and then finished.
  const std::vector<std::string> run = scenario_.RunArguments(lock, scenario_.Path("run"));
  EXPECT_EQ(Ctl(run, "run.log.mid_append=kill@2").end.signal, SIGKILL);
  const CommandResult finished = Ctl(run);
  EXPECT_EQ(finished.end.exit_code, kExitOk) << finished.err;
  KeepMetrics();

  // The marks do come out where they may: the caller's own standard output, unedited.
  const auto prompt = [&](const std::string& what) {
    return std::vector<std::string>{"generate", "--prompt", what, "--max-new-tokens", "24"};
  };
  const CommandResult text = Ctl(prompt("Zqcanaryprompta the bavorn"));
  EXPECT_EQ(text.end.exit_code, kExitOk) << text.err;
  const std::string answers = absl::StrCat(text.out, Ctl(prompt("Zqcanarypromptb my baunda")).out);
  EXPECT_THAT(answers, HasSubstr("zqcanary")) << answers;
  const std::vector<std::string> allowed = {"ctl-3.out", "ctl-4.out"};

  // Bad requests that carry marks in every field that takes words.
  for (const std::vector<std::string>& bad : std::vector<std::vector<std::string>>{
           prompt(std::string(40000, 'a') + "zqcanary"),
           prompt(std::string("zqcanary \xff\xfe")),
           {"generate", "--prompt", "zqcanary", "--max-new-tokens", "99999"},
           {"generate", "--prompt", "zqcanary", "--ablate", "3f2a:14"},
           {"run", scenario_.Path("zqmissing.lock")},
           {"tokenize", "--json", "--no-such-flag"}}) {
    const CommandResult refused = Ctl(bad);
    EXPECT_NE(refused.end.exit_code, kExitOk);
    EXPECT_EQ(refused.end.signal, 0);
  }
  // A plan file and a prompt file that are damaged in the middle of a marked prompt.
  const std::string broken = scenario_.Path("broken-data");
  fs::create_directory(broken);
  for (const char* name : {"harmful.jsonl", "harmless.jsonl"}) {
    std::string data = MustRead(scenario_.model() + "/" + name);
    data.insert(data.size() / 2, "\"");
    ASSERT_TRUE(WriteFileAtomically(broken + "/" + name, data).ok());
  }
  EXPECT_NE(Ctl({"run", lock, "--data-root", broken, "--output", scenario_.Path("bad-run")})
                .end.exit_code,
            kExitOk);
  fs::remove_all(broken);
  KeepMetrics();
  scenario_.StopServer();

  // Faults and crashes of the server with rows in hand.
  for (const char* fault : {"edit.skip_row=skip@20", "edit.swap_direction=skip@2",
                            "store.ledger.before_write=error", "store.put.before_rename=error"}) {
    // The sets of before would be found again.
    fs::remove_all(scenario_.Path("directions"));
    Serve(fault);
    EXPECT_NE(Ctl(scenario_.RunArguments(lock, scenario_.Path(absl::StrCat("run-", fault))))
                  .end.exit_code,
              kExitOk)
        << fault;
    KeepMetrics();
    scenario_.StopServer();
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS}) {
    Serve("", {"--decode-rows", "1"});
    const std::string name = absl::StrCat("crash-", number);
    auto client = scenario_.StartCtl(
        [&] {
          auto arguments = scenario_.RunArguments(lock, scenario_.Path(name));
          arguments.insert(arguments.begin(), {"--patience", "0.2"});
          return arguments;
        }(),
        name, environment_);
    for (int i = 0; i < 2000 && scenario_.Metric("steer_rows_running") < 1; ++i) {
      absl::SleepFor(absl::Milliseconds(2));
    }
    scenario_.server().Signal(number);
    const ProcessEnd end = scenario_.server().Wait(absl::Seconds(20));
#ifdef __SANITIZE_ADDRESS__
    // The sanitizer's own handler writes a report, which is searched as well, and exits.
    EXPECT_TRUE(end.signal == number || end.exit_code == 1) << end.signal << " " << end.exit_code;
#else
    EXPECT_EQ(end.signal, number);
#endif
    EXPECT_NE(client->Wait(absl::Seconds(60)).exit_code, kExitOk);
  }

  EXPECT_THAT(Hits(allowed), testing::IsEmpty());
  // The search finds what is there.
  EXPECT_EQ(Hits({}).size(), 2u);
  // After all this the audit log is one chain, and its lines are the calls.
  const auto report = VerifyAudit({scenario_.Path("audit.jsonl")});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->lines, 20);
}

}  // namespace
}  // namespace steer
