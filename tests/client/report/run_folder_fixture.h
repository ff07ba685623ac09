// Run folders that the small experiment leaves, to be damaged and compared.
#ifndef STEER_TESTS_CLIENT_REPORT_RUN_FOLDER_FIXTURE_H_
#define STEER_TESTS_CLIENT_REPORT_RUN_FOLDER_FIXTURE_H_

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/report/outputs.h"
#include "client/report/run_check.h"
#include "client/run/run_folder.h"
#include "common/digest.h"
#include "common/numeric_fingerprint.h"
#include "gtest/gtest.h"
#include "tests/client/run/run_fixture.h"

namespace steer {

// A line of the log with its checksum made anew, as a forger would.
inline std::string Reseal(const std::string& line) {
  Json json = *ParseJson(line);
  json.erase("sha256");
  json["sha256"] = Sha256Hex(*CanonicalJson(json));
  return *CanonicalJson(json);
}

class RunFolderFixture : public RunFixture {
 protected:
  void SetUp() override {
    service_.behaviour.numeric_fingerprint = NumericFingerprint({{"threads", "2"}});
    RunFixture::SetUp();
    ASSERT_NO_FATAL_FAILURE(MakeRun("run"));
    // What each test damages, and then puts back.
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "run"))
      whole_[entry.path().filename().string()] = ReadAll(entry.path());
  }

  std::string In(const std::string& name) const { return folder_ / ("run/" + name); }

  void MakeRun(const std::string& name) {
    auto taken = RunFolder::Open(folder_ / name, *lock_);
    ASSERT_TRUE(taken.ok()) << taken.status();
    auto stats = Run(name + "/cells.jsonl");
    ASSERT_TRUE(stats.ok()) << stats.status();
    ASSERT_TRUE(WriteOutputs(*lock_, *log_, (*taken)->paths()).ok());
    const Json server = {{"version", "0.1.0+abc"},
                         {"contract_version", "steer.v1/1"},
                         {"name", "fake-model"},
                         {"device", "cpu"},
                         {"dtype", "float32"},
                         {"model_fingerprint", service_.behaviour.model_fingerprint},
                         {"numeric_fingerprint", service_.behaviour.numeric_fingerprint},
                         {"numeric_facts", {{"threads", "2"}}}};
    const Json run = {{"format", "steer-run-1"},
                      {"sessions", {{{"client", {{"version", "0.1.0+abc"}}}, {"server", server}}}}};
    WriteAll((*taken)->paths().run, run.dump(2));
  }

  CheckedRun CheckIt(const std::string& name = "run") {
    absl::StatusOr<CheckedRun> run = CheckRunFolder(folder_ / name);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? *std::move(run) : CheckedRun();
  }

  static const CheckResult* Find(const CheckedRun& run, const std::string& what) {
    for (const CheckResult& check : run.checks) {
      if (check.what == what) return &check;
    }
    ADD_FAILURE() << "no check of " << what << "\n" << CheckLines(run.checks);
    static const CheckResult none;
    return &none;
  }

  // The file's own line must fail, and with it the whole.
  void ExpectFound(const std::string& what, const std::string& how) {
    const CheckedRun run = CheckIt();
    EXPECT_TRUE(Find(run, what)->failed()) << how << "\n" << CheckLines(run.checks);
    EXPECT_EQ(WorstOf(run.checks), CheckWeight::kResults) << how << "\n" << CheckLines(run.checks);
  }

  void PutBack() {
    for (const auto& [name, bytes] : whole_) WriteAll(In(name), bytes);
  }

  // Damage of every class at `places` places.
  void Damage(const std::string& name, size_t places) {
    const std::string bytes = whole_.at(name);
    ASSERT_GT(bytes.size(), places);
    for (size_t i = 0; i < places; ++i) {
      const size_t at = i * (bytes.size() - 1) / std::max<size_t>(places - 1, 1);
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (i % 2 == 0 ? 1 : 0x80));
      WriteAll(In(name), changed);
      ExpectFound(name, absl::StrCat(name, ": byte ", at));
    }
    WriteAll(In(name), bytes + "\n");
    ExpectFound(name, name + ": a byte more");
    WriteAll(In(name), bytes.substr(0, bytes.size() / 2));
    ExpectFound(name, name + ": cut in the middle");
    WriteAll(In(name), "");
    ExpectFound(name, name + ": empty");
    WriteAll(In(name), bytes);
  }

  // Replaces one line of the log.
  void ChangeRecord(const std::string& key, const std::function<void(Json*)>& change) {
    std::vector<std::string> lines = absl::StrSplit(whole_.at("cells.jsonl"), '\n');
    int changed = 0;
    for (std::string& line : lines) {
      if (!absl::StrContains(line, absl::StrCat("\"key\":\"", key, "\""))) continue;
      Json json = *ParseJson(line);
      change(&json);
      line = Reseal(json.dump());
      ++changed;
    }
    ASSERT_EQ(changed, 1) << key;
    WriteAll(In("cells.jsonl"), absl::StrJoin(lines, "\n"));
  }

  std::map<std::string, std::string> whole_;
};

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_REPORT_RUN_FOLDER_FIXTURE_H_
