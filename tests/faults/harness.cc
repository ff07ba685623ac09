#include "tests/faults/harness.h"

#include <signal.h>

#include <filesystem>
#include <map>
#include <set>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/digest.h"
#include "common/files.h"
#include "tests/integration/leftovers.h"
#include "tests/support/paths.h"

namespace steer {

std::unique_ptr<Scenario> FaultHarness::scenario_;
std::string FaultHarness::lock_, FaultHarness::summary_, FaultHarness::verdict_,
    FaultHarness::answer_;
int64_t FaultHarness::records_ = 0;
absl::Duration FaultHarness::clean_time_;
double FaultHarness::steps_ = 0;

namespace {

std::string Seed() {
  const char* seed = getenv("STEER_FAULT_SEED");
  return seed == nullptr ? "1" : seed;
}

std::string TestName() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? "suite" : absl::StrCat(test->test_suite_name(), ".", test->name());
}

}  // namespace

void FaultHarness::SetUpTestSuite() {
  if (scenario_ != nullptr) return;
  scenario_ = std::make_unique<Scenario>("default");
  MarkModel(scenario_->model(), scenario_->Path("marked-model"));
  scenario_->set_model(scenario_->Path("marked-model"));
  scenario_->set_base_flags({"--audit-log", scenario_->Path("audit.jsonl")});
  ASSERT_TRUE(scenario_->StartServer()) << scenario_->server_log();
  lock_ = scenario_->FreezeSmallPlan("small", 12, 4, 6, "[0, 1]");
  ASSERT_FALSE(lock_.empty());
  const std::string folder = scenario_->Path("clean");
  const absl::Time start = absl::Now();
  const CommandResult run = scenario_->Ctl(scenario_->RunArguments(lock_, folder));
  clean_time_ = absl::Now() - start;
  ASSERT_EQ(run.end.exit_code, 0) << run.err;
  summary_ = MustRead(folder + "/summary.json");
  verdict_ = MustRead(folder + "/verdict.json");
  const std::string log = MustRead(folder + "/cells.jsonl");
  records_ = std::count(log.begin(), log.end(), '\n');  // a clean run logs no failure
  steps_ = scenario_->Metric("steer_steps_total{kind=\"prefill\"}") +
           scenario_->Metric("steer_steps_total{kind=\"decode\"}");
  answer_ = Answer();
  ASSERT_FALSE(summary_.empty() || answer_.empty());
}

void FaultHarness::TearDownTestSuite() { scenario_.reset(); }

void FaultHarness::SetUp() {
  ASSERT_NE(scenario_, nullptr);
  ASSERT_FALSE(summary_.empty()) << "there is no clean run";
  const std::string name = TestName();
  std::seed_seq seed(name.begin(), name.end());
  random_.seed(seed);
  uint64_t number = 1;
  if (!absl::SimpleAtoi(Seed(), &number)) number = 1;
  random_.discard(1000 * number);
}

void FaultHarness::TearDown() {
  if (!scenario_->server().running()) Restart();
  EXPECT_EQ(Answer(), answer_) << "the next request is not answered as before";
  ExpectCountsOfTheAuditLog();
  ExpectNoText();
  if (HasFailure()) {
    std::fprintf(stderr, "replay: STEER_FAULT_SEED=%s %s --gtest_filter=%s\n", Seed().c_str(),
                 BuildPath("tests/faults/faults_test").c_str(), TestName().c_str());
  }
  // Runs are many, and their figures large.
  std::filesystem::remove_all(Folder());
}

double FaultHarness::Uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }

std::string FaultHarness::Folder(const std::string& name) const {
  return scenario_->Path(absl::StrCat(TestName(), "/", name));
}

std::vector<std::string> FaultHarness::Run(const std::string& name,
                                           const std::vector<std::string>& more) const {
  std::filesystem::create_directories(std::filesystem::path(Folder(name)).parent_path());
  std::vector<std::string> arguments = scenario_->RunArguments(lock_, Folder(name));
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::unique_ptr<Process> FaultHarness::StartAt(int port, const std::vector<std::string>& arguments,
                                               const std::string& name,
                                               const Environment& environment) {
  std::vector<std::string> argv = {BuildPath("client/steerctl"), "--server",
                                   absl::StrCat("127.0.0.1:", port)};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return std::make_unique<Process>(argv, environment, scenario_->Path(name + ".out"),
                                   scenario_->Path(name + ".err"));
}

Environment FaultHarness::Shim(const std::string& faults) {
  return {{"STEER_SHIM", faults}, {"LD_PRELOAD", BuildPath("tests/faults/libsteer_fault_shim.so")}};
}

std::string FaultHarness::CtlError(const std::string& name) {
  return MustRead(scenario_->Path(name + ".err"));
}

int64_t FaultHarness::CheckLog(const std::string& name, bool whole) {
  const std::string path = Folder(name) + "/cells.jsonl";
  if (!std::filesystem::exists(path)) return 0;
  const std::string text = MustRead(path);
  std::set<std::string> keys;
  int64_t results = 0;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_TRUE(!whole || lines.back().empty()) << "a torn record: " << path;
  lines.pop_back();
  for (const std::string& line : lines) {
    auto record = ParseJson(line);
    EXPECT_TRUE(record.ok()) << path << ": " << record.status();
    if (!record.ok()) return -1;
    const std::string digest = record->value("sha256", "");
    record->erase("sha256");
    EXPECT_EQ(digest, Sha256Hex(record->dump())) << path;
    EXPECT_TRUE(keys.insert(record->value("key", "")).second) << "twice: " << line.substr(0, 80);
    const Json payload = record->value("payload", Json::object());
    if (payload.value("kind", "") != "failure") ++results;
  }
  return results;
}

void FaultHarness::ExpectFinishes(const std::string& name) {
  if (!scenario_->server().running()) Restart();
  const CommandResult again = scenario_->Ctl(Run(name));
  ASSERT_EQ(again.end.exit_code, 0) << again.err;
  EXPECT_EQ(CheckLog(name, true), records_);
  const std::string summary = MustRead(Folder(name) + "/summary.json");
  EXPECT_TRUE(summary == summary_)
      << "another summary: "
      << Json::diff(ParseJson(summary_).value(), ParseJson(summary).value()).dump().substr(0, 1000);
  EXPECT_TRUE(MustRead(Folder(name) + "/verdict.json") == verdict_) << "another verdict";
}

void FaultHarness::Restart(const Environment& environment, const std::vector<std::string>& flags) {
  if (scenario_->server().running()) scenario_->StopServer();
  ASSERT_TRUE(scenario_->StartServer(environment, flags)) << scenario_->server_log();
}

bool FaultHarness::Among(const ProcessEnd& end, std::initializer_list<int> codes) {
  if (end.timed_out || end.signal != 0) return false;
  return std::find(codes.begin(), codes.end(), end.exit_code) != codes.end();
}

// By method and code, and outcomes: what the page says, and what as many lines of the audit log as this process wrote say.
void FaultHarness::ExpectCountsOfTheAuditLog() {
  std::string differs;
  const absl::Time end = absl::Now() + absl::Seconds(20);
  do {
    differs.clear();
    std::map<std::string, double> wanted, counted;
    double outcomes = 0, audited = 0;
    bool all_well = true;
    std::vector<std::string> lines =
        absl::StrSplit(MustRead(scenario_->Path("audit.jsonl")), '\n', absl::SkipEmpty());
    const std::string page = scenario_->MetricsPage();
    const auto written =
        static_cast<size_t>(scenario_->Metric("steer_audit_records_total{result=\"written\"}"));
    if (written > lines.size()) return ADD_FAILURE() << "the audit log lacks lines";
    for (size_t i = lines.size() - written; i < lines.size(); ++i) {
      const auto line = ParseJson(lines[i]);
      if (!line.ok()) return ADD_FAILURE() << line.status();
      const std::string method = line->value("method", ""), code = line->value("code", "");
      ++wanted[absl::StrCat(method, " ", code)];
      if (method == "Evaluate" && code == "OK")
        audited += line->value(Json::json_pointer("/counts/outcomes"), 0.0);
      all_well = all_well && (method != "Evaluate" || code == "OK");
    }
    for (absl::string_view series : absl::StrSplit(page, '\n')) {
      double value = 0;
      if (!absl::SimpleAtod(series.substr(series.rfind(' ') + 1), &value) || value == 0) continue;
      if (absl::StartsWith(series, "steer_outcomes_total{")) outcomes += value;
      if (!absl::StartsWith(series, "grpc_server_handled_total{")) continue;
      const auto label = [&](absl::string_view name) {
        const std::string before = absl::StrCat(name, "=\"");
        const size_t at = series.find(before) + before.size();
        return series.substr(at, series.find('"', at) - at);
      };
      counted[absl::StrCat(label("grpc_method"), " ", label("grpc_code"))] = value;
    }
    if (wanted != counted) {
      for (const auto& [key, value] : wanted)
        absl::StrAppend(&differs, key, "=", value, "/", counted[key], " ");
      if (differs.empty()) differs = "more counted than logged";
    }
    // A call that failed had outcomes that it did not deliver.
    if (outcomes < audited || (all_well && outcomes != audited))
      absl::StrAppend(&differs, "outcomes ", audited, "/", outcomes);
    if (differs.empty()) return;
    absl::SleepFor(absl::Milliseconds(50));
  } while (absl::Now() < end);
  ADD_FAILURE() << "in the audit log / on the metrics page: " << differs;
}

void FaultHarness::ExpectNoText() {
  // Every server's last page is kept beside its log.
  const std::string page = scenario_->MetricsPage();
  EXPECT_TRUE(absl::StrContains(page, "steer_rows_total"));
  EXPECT_TRUE(WriteFileAtomically(scenario_->Path("metrics.txt"), page).ok());
  int searched = 0;
  for (const std::string& path :
       FilesThatHold(scenario_->folder(), {kMarkSought}, {scenario_->model()}, &searched))
    ADD_FAILURE() << path << " holds text of a prompt or a completion";
  EXPECT_GT(searched, 10);
}

std::string FaultHarness::Answer() {
  const CommandResult said =
      scenario_->Ctl({"evaluate", "--prompts", scenario_->model() + "/harmful.jsonl", "--field",
                      "prompt", "--limit", "5", "--scores", "--quality", "--json"},
                     {}, absl::Seconds(60));
  auto facts = ParseJson(said.out);
  if (said.end.exit_code != 0 || !facts.ok()) return "failed: " + said.err;
  facts->erase("seconds");
  return facts->dump();
}

}  // namespace steer
