#include "tests/integration/scenario.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/files.h"
#include "tests/integration/leftovers.h"
#include "tests/support/loopback.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

std::string MakeTemporaryFolder() {
  std::string pattern = testing::TempDir() + "/steer_XXXXXX";
  return mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
}

// Checkpoints are made once a test program and only read.
std::string PlantedModel(const std::string& variant, int seed) {
  static const std::string root = MakeTemporaryFolder();
  std::string folder = absl::StrCat(root, "/seed-", seed, "/planted-", variant);
  if (!std::filesystem::exists(folder + "/truth.json")) {
    std::filesystem::create_directories(std::filesystem::path(folder).parent_path());
    Process planted({BuildPath("server/planted/steer-planted"), "--variant", variant, "--seed",
                     absl::StrCat(seed), "--out", folder},
                    {}, root + "/planted.out", root + "/planted.err");
    ProcessEnd end = planted.Wait(absl::Minutes(1));
    if (end.exit_code != 0)
      ADD_FAILURE() << "steer-planted failed: " << MustRead(root + "/planted.err");
  }
  return folder;
}

}  // namespace

std::string MustRead(const std::string& path) {
  auto text = ReadFile(path);
  if (!text.ok()) ADD_FAILURE() << text.status();
  return text.ok() ? *text : std::string();
}

Json MustReadJson(const std::string& path) {
  auto json = ReadJsonFile(path);
  if (!json.ok()) ADD_FAILURE() << json.status();
  return json.ok() ? *json : Json::object();
}

Scenario::Scenario(const std::string& variant, int seed)
    : folder_(MakeTemporaryFolder()), planted_(PlantedModel(variant, seed)), model_(planted_) {}

Scenario::~Scenario() {
  server_.reset();
  ExpectNoPromptLeft();
  if (!testing::Test::HasFailure()) {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
}

void Scenario::ExpectNoPromptLeft() const {
  namespace fs = std::filesystem;
  // Every prompt has some of these: made-up words, each of the topic that its line names.
  static const std::vector<std::string> nouns = [&] {
    std::set<std::string> words;
    for (const char* name : {"/harmful.jsonl", "/harmless.jsonl"}) {
      for (absl::string_view line :
           absl::StrSplit(MustRead(planted_ + name), '\n', absl::SkipEmpty())) {
        const auto record = ParseJson(line);
        if (!record.ok()) continue;
        const std::string topic = record->value("topic", ""), prompt = record->value("prompt", "");
        for (absl::string_view word : absl::StrSplit(prompt, absl::ByAnyChar(" .?"))) {
          if (word.size() > topic.size() && absl::EndsWith(word, topic)) words.emplace(word);
        }
      }
    }
    return std::vector<std::string>(words.begin(), words.end());
  }();
  EXPECT_GT(nouns.size(), 50u);
  // Checkpoints hold the prompts and their words.
  std::vector<std::string> models;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name == "tokenizer.json" || name == "blobs") models.push_back(entry.path().parent_path());
  }
  int searched = 0;
  for (const std::string& path : FilesThatHold(folder_, nouns, models, &searched)) {
    const bool known = text_in_.count(fs::path(path).lexically_relative(folder_).string()) > 0;
    EXPECT_TRUE(known) << path << " holds words of a prompt";
  }
}

std::string Scenario::address() const { return absl::StrCat("127.0.0.1:", port_); }

std::string Scenario::server_log() const {
  auto text = ReadFile(Path("steerd.err"));
  return text.ok() ? *text : std::string();
}

bool Scenario::StartServer(const Environment& environment, const std::vector<std::string>& flags) {
  std::filesystem::remove(Path("ports.json"));
  std::vector<std::string> argv = {BuildPath("server/steerd"),
                                   "--model",
                                   model_,
                                   "--dtype",
                                   "float32",
                                   "--listen",
                                   absl::StrCat("127.0.0.1:", port_),
                                   "--metrics-listen",
                                   absl::StrCat("127.0.0.1:", metrics_port_),
                                   "--store",
                                   Path("directions"),
                                   "--port-file",
                                   Path("ports.json")};
  if (environment.count("STEER_FAILPOINTS") > 0) argv.push_back("--failpoints");
  argv.insert(argv.end(), base_flags_.begin(), base_flags_.end());
  argv.insert(argv.end(), flags.begin(), flags.end());
  server_ = std::make_unique<Process>(argv, environment, Path("steerd.out"), Path("steerd.err"));
  absl::Time end = absl::Now() + absl::Seconds(60);
  while (!std::filesystem::exists(Path("ports.json"))) {
    if (!server_->running() || absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  Json ports = MustReadJson(Path("ports.json"));
  port_ = ports.value("grpc_port", 0);
  metrics_port_ = ports.value("metrics_port", 0);
  return port_ > 0;
}

ProcessEnd Scenario::StopServer() {
  server_->Signal(SIGTERM);
  return server_->Wait(absl::Seconds(60));
}

std::unique_ptr<Process> Scenario::StartCtl(const std::vector<std::string>& arguments,
                                            const std::string& name,
                                            const Environment& environment) {
  std::vector<std::string> argv = {BuildPath("client/steerctl"), "--server",
                                   ctl_servers_.empty() ? address() : ctl_servers_};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return std::make_unique<Process>(argv, environment, Path(name + ".out"), Path(name + ".err"));
}

CommandResult Scenario::Ctl(const std::vector<std::string>& arguments,
                            const Environment& environment, absl::Duration timeout) {
  std::string name = absl::StrCat("ctl-", commands_++);
  CommandResult result;
  result.end = StartCtl(arguments, name, environment)->Wait(timeout);
  result.out = MustRead(Path(name + ".out"));
  result.err = MustRead(Path(name + ".err"));
  return result;
}

std::string Scenario::FreezeSmallPlan(const std::string& name, int train, int validation, int test,
                                      const std::string& seeds) {
  std::string plan = absl::StrCat(
      "version: 1\nname: ", name,
      "\nmodel: {name: ", std::filesystem::path(model_).filename().string(),
      ", dtype: float32}\ndata:\n  harmful: {file: harmful.jsonl, format: jsonl, key: prompt}\n",
      "  harmless: {file: harmless.jsonl, format: jsonl, key: prompt}\nsplits: {train: ", train,
      ", validation: ", validation, ", test: ", test, "}\nseeds: ", seeds,
      "\nreadout: {name: post-1, quality: true, scores: true}\ndecoding: {max_new_tokens: 32}\n"
      "controls: {family: isotropic, seed: 7, draws: 1}\nrule: post-1\n");
  if (!WriteFileAtomically(Path(name + ".yaml"), plan).ok())
    ADD_FAILURE() << "cannot write the plan";
  std::string lock = Path(name + ".lock");
  CommandResult frozen =
      Ctl({"plan", "freeze", Path(name + ".yaml"), "--data-root", model_, "--output", lock});
  if (frozen.end.exit_code != 0) {
    ADD_FAILURE() << "plan freeze failed: " << frozen.err << server_log();
    return "";
  }
  return lock;
}

std::vector<std::string> Scenario::RunArguments(const std::string& lock,
                                                const std::string& output) const {
  return {"run", lock, "--data-root", model_, "--output", output};
}

std::string Scenario::MetricsPage() const { return HttpGet(metrics_port_, "/metrics"); }

double Scenario::Metric(const std::string& series) const {
  for (absl::string_view line : absl::StrSplit(MetricsPage(), '\n')) {
    double value = 0;
    if (absl::StartsWith(line, series + " ") &&
        absl::SimpleAtod(line.substr(series.size() + 1), &value))
      return value;
  }
  return -1;
}

}  // namespace steer
