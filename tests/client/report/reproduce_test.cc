// A run folder checked from itself alone: whole, damaged in every file, forged, read-only, in use;
// and two runs of one lock compared.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/report/compare_runs.h"
#include "client/report/output_check.h"
#include "client/report/outputs.h"
#include "client/report/run_check.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/numeric_fingerprint.h"
#include "gtest/gtest.h"
#include "tests/client/run/run_fixture.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

const char* const kDerived[] = {"summary.json", "verdict.json", "figure.svg", "figure.png",
                                "report.html"};

// A line of the log with its checksum made anew, as a forger would.
std::string Reseal(const std::string& line) {
  Json json = *ParseJson(line);
  json.erase("sha256");
  json["sha256"] = Sha256Hex(*CanonicalJson(json));
  return *CanonicalJson(json);
}

// Everything that a write to the folder would change.
std::vector<std::string> Listing(const std::string& folder) {
  std::vector<std::string> lines;
  auto add = [&lines](const fs::path& path) {
    struct stat s;
    ASSERT_EQ(lstat(path.c_str(), &s), 0);
    lines.push_back(absl::StrCat(path.string(), " ", s.st_ino, " ", s.st_mode, " ", s.st_size, " ",
                                 s.st_mtim.tv_sec, ".", s.st_mtim.tv_nsec, " ", s.st_ctim.tv_sec,
                                 ".", s.st_ctim.tv_nsec));
  };
  add(folder);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) add(entry.path());
  std::sort(lines.begin(), lines.end());
  return lines;
}

class ReproduceTest : public RunFixture {
 protected:
  void SetUp() override {
    service_.behaviour.numeric_fingerprint = NumericFingerprint({{"threads", "2"}});
    RunFixture::SetUp();
    ASSERT_NO_FATAL_FAILURE(MakeRun("run"));
    // What each test damages, and then puts back.
    for (const auto& entry : fs::directory_iterator(folder_ / "run"))
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

TEST_F(ReproduceTest, AWholeFolderHasNothingToSay) {
  const CheckedRun run = CheckIt();
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kNote);
  for (const CheckResult& check : run.checks)
    EXPECT_EQ(check.state, CheckState::kOk) << CheckLines(run.checks);
  EXPECT_EQ(run.checks.size(), 12u) << CheckLines(run.checks);
  EXPECT_TRUE(run.complete);
  ASSERT_TRUE(run.lock);
  EXPECT_EQ(run.summary_bytes, whole_.at("summary.json"));
  EXPECT_FALSE(absl::StrContains(CheckLines(run.checks) + ChecksJson(run.checks).dump(), kCanary));
}

TEST_F(ReproduceTest, EveryDamageOfLockAndLogIsFound) {
  Damage("lock.json", 150);
  Damage("cells.jsonl", 300);
}

TEST_F(ReproduceTest, EveryDamageOfADerivedFileIsFound) {
  for (const char* name : kDerived) Damage(name, 5);
}

TEST_F(ReproduceTest, EveryFileThatIsGoneIsFound) {
  for (const auto& [name, bytes] : whole_) {
    if (name == ".writer") continue;
    fs::remove(In(name));
    const CheckedRun run = CheckIt();
    EXPECT_EQ(Find(run, name)->state, CheckState::kMissing) << name;
    const bool figure = absl::StartsWith(name, "figure");
    EXPECT_EQ(WorstOf(run.checks), name == "run.json" ? CheckWeight::kNote
                                   : figure           ? CheckWeight::kFigure
                                                      : CheckWeight::kResults)
        << CheckLines(run.checks);
    WriteAll(In(name), bytes);
  }
  fs::remove(In("lock.json"));
  fs::remove(In("cells.jsonl"));
  EXPECT_EQ(ReasonOf(CheckRunFolder(folder_ / "run").status()), "NOT_A_RUN_FOLDER");
}

TEST_F(ReproduceTest, ALogThatSaysTheSameInOtherBytesIsFound) {
  const std::string bytes = whole_.at("cells.jsonl");
  const size_t end = bytes.find('\n');
  // Space where JSON allows it; a whole record twice; keys in another order.
  WriteAll(In("cells.jsonl"), absl::StrCat("{ ", bytes.substr(1)));
  ExpectFound("cells.jsonl", "space");
  WriteAll(In("cells.jsonl"), absl::StrCat(bytes.substr(0, end + 1), bytes));
  ExpectFound("cells.jsonl", "a record twice");
  Json first = *ParseJson(bytes.substr(0, end));
  const std::string sha = first["sha256"].dump();
  first.erase("sha256");
  WriteAll(In("cells.jsonl"),
           absl::StrCat("{\"sha256\":", sha, ",", first.dump().substr(1), bytes.substr(end)));
  ExpectFound("cells.jsonl", "order of keys");
}

TEST_F(ReproduceTest, AForgedRecordContradictsOthers) {
  const auto outcome = [](Json* json) {
    std::string refused = (*json)["payload"]["rows"]["refused"];
    refused[0] = refused[0] == 'R' ? '-' : 'R';
    (*json)["payload"]["rows"]["refused"] = refused;
  };
  ChangeRecord("seed-0/test/ablate/harmful", outcome);
  ExpectFound("summary.json", "an outcome");
  ChangeRecord("seed-0/test/ablate/harmful",
               [](Json* json) { (*json)["payload"]["receipt"]["edits"] = 1; });
  ExpectFound("receipts", "edits");
  ChangeRecord("seed-1/test/ablate/harmful",
               [](Json* json) { (*json)["payload"]["direction_digest"] = std::string(64, '0'); });
  ExpectFound("receipts", "direction");
  ChangeRecord("seed-1/test/add/harmless", [](Json* json) {
    (*json)["payload"]["numeric_fingerprint"] = std::string(64, '0');
  });
  ExpectFound("receipts", "numbers");
  ChangeRecord("seed-1/test/add/harmless",
               [](Json* json) { (*json)["payload"]["plan_digest"] = std::string(64, '0'); });
  ExpectFound("records", "another lock");
  ChangeRecord("seed-1/test/add/harmless", [](Json* json) {
    (*json)["key"] = "seed-1/test/add-control-7/harmless";
    (*json)["payload"]["arm"] = "add-control-7/harmless";
  });
  ExpectFound("records", "a cell that nobody asked for");
  ChangeRecord("seed-1/test/add/harmless",
               [](Json* json) { (*json)["key"] = "seed-0/test/add/harmless-2"; });
  ExpectFound("records", "a key that is not the record's own");
}

TEST_F(ReproduceTest, AnUnfinishedRunIsUnfinishedAndNotDamaged) {
  for (const char* name : kDerived) fs::remove(In(name));
  const std::string bytes = whole_.at("cells.jsonl");
  const size_t cut = bytes.find("\"key\":\"seed-1/test/");
  const size_t line = bytes.rfind('\n', cut) + 1;
  WriteAll(In("cells.jsonl"), bytes.substr(0, line));
  CheckedRun run = CheckIt();
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kUnfinished) << CheckLines(run.checks);
  EXPECT_EQ(Find(run, "cells")->state, CheckState::kMissing);
  EXPECT_FALSE(run.complete);
  // So is a record that a crash cut off.
  WriteAll(In("cells.jsonl"), bytes.substr(0, line + 30));
  run = CheckIt();
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kUnfinished) << CheckLines(run.checks);
  EXPECT_TRUE(absl::StrContains(Find(run, "cells.jsonl")->said, "30 bytes"));
}

TEST_F(ReproduceTest, FiguresOfAnotherGnuplotAreNotChecked) {
  const std::string here = SvgProducer(whole_.at("figure.svg"));
  ASSERT_TRUE(absl::StartsWith(here, "gnuplot ")) << here;
  const auto other = [&here](const std::string& bytes) {
    return absl::StrReplaceAll(bytes, {{absl::StrCat("GNUPLOT ", here.substr(8)), "GNUPLOT 9.9"},
                                       {"<rect x=\"0\"", "<rect  x=\"0\""}});
  };
  WriteAll(In("figure.svg"), other(whole_.at("figure.svg")));
  WriteAll(In("report.html"), other(whole_.at("report.html")));
  const CheckedRun before = CheckIt();
  EXPECT_EQ(Find(before, "figure.svg")->state, CheckState::kNotChecked)
      << CheckLines(before.checks);
  EXPECT_EQ(Find(before, "report.html")->state, CheckState::kNotChecked);
  EXPECT_EQ(WorstOf(before.checks), CheckWeight::kNote);
  EXPECT_TRUE(absl::StrContains(Find(before, "figure.svg")->said, "drawn by gnuplot 9.9"));
  // The report's text is checked all the same.
  WriteAll(In("report.html"),
           absl::StrReplaceAll(other(whole_.at("report.html")), {{"Provenance", "Provenence"}}));
  ExpectFound("report.html", "text of a report with other figures");
  // And the drawing is that of the report.
  WriteAll(In("report.html"), whole_.at("report.html"));
  ExpectFound("figure.svg", "an SVG that the report does not show");
}

TEST_F(ReproduceTest, APngOfOtherFontsFailsNothingButItself) {
  std::string png = whole_.at("figure.png");
  // An empty text chunk before the end: whole, and other bytes. The CRC is from zlib.
  png.insert(png.size() - 12, std::string("\0\0\0\0tEXt\x96\x42\xc5\x85", 12));
  ASSERT_TRUE(IsWholePng(png));
  WriteAll(In("figure.png"), png);
  const CheckedRun run = CheckIt();
  EXPECT_EQ(Find(run, "figure.png")->state, CheckState::kDiffers);
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kFigure) << CheckLines(run.checks);
}

TEST_F(ReproduceTest, EveryChangedByteOfAPngIsFound) {
  const std::string png = whole_.at("figure.png");
  for (size_t at = 0; at < png.size(); at += 1 + png.size() / 2000) {
    std::string changed = png;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    EXPECT_FALSE(IsWholePng(changed)) << at;
  }
}

TEST_F(ReproduceTest, WithoutGnuplotFiguresAreNotChecked) {
  const std::string path = getenv("PATH");
  setenv("PATH", "/nonexistent", 1);
  CheckedRun run = CheckIt();
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kNote) << CheckLines(run.checks);
  for (const char* name : {"figure.svg", "figure.png", "report.html"}) {
    EXPECT_EQ(Find(run, name)->state, CheckState::kNotChecked) << name;
    EXPECT_TRUE(absl::StrContains(Find(run, name)->said, "gnuplot")) << name;
  }
  // What must not differ is found even so.
  for (const char* name : {"summary.json", "verdict.json", "figure.svg", "figure.png"}) {
    std::string changed = whole_.at(name);
    changed[changed.size() / 2] ^= 1;
    WriteAll(In(name), changed);
    ExpectFound(name, "without gnuplot");
    WriteAll(In(name), whole_.at(name));
  }
  setenv("PATH", path.c_str(), 1);
}

TEST_F(ReproduceTest, StrangersAreNamedAndChangeNothing) {
  WriteAll(In("notes\n.txt"), "x");
  WriteAll(In("summary.json.tmp.12.3"), "x");
  fs::create_directory(In("sets"));
  WriteAll(In("sets/readme"), "x");
  CheckedRun run = CheckIt();
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kNote);
  EXPECT_EQ(Find(run, "notes\n.txt")->state, CheckState::kNotChecked);
  EXPECT_EQ(Find(run, "summary.json.tmp.12.3")->state, CheckState::kNotChecked);
  EXPECT_EQ(Find(run, "sets/readme")->state, CheckState::kNotChecked);
  EXPECT_TRUE(absl::StrContains(CheckLines(run.checks), "notes\\x0a.txt"));
  // A set by its name that is none.
  const std::string name = "sets/" + std::string(64, 'a') + ".safetensors";
  WriteAll(In(name), "x");
  ExpectFound(name, "no set");
}

TEST_F(ReproduceTest, FactsThatDoNotGiveTheirFingerprintAreSaid) {
  WriteAll(In("run.json"), absl::StrReplaceAll(whole_.at("run.json"),
                                               {{"\"threads\": \"2\"", "\"threads\": \"4\""}}));
  CheckedRun run = CheckIt();
  EXPECT_EQ(Find(run, "run.json")->state, CheckState::kNotChecked);
  EXPECT_FALSE(run.provenance.servers.at(0).proven);
  WriteAll(In("run.json"), "{}");
  ExpectFound("run.json", "no sessions");
}

TEST_F(ReproduceTest, NothingIsWrittenAndAReadOnlyFolderWill) {
  for (const auto& entry : fs::directory_iterator(folder_ / "run"))
    fs::permissions(entry.path(), fs::perms::owner_read);
  fs::permissions(folder_ / "run", fs::perms::owner_read | fs::perms::owner_exec);
  const auto before = Listing(folder_ / "run");
  EXPECT_EQ(before.size(), 9u + 1u);
  const CheckedRun run = CheckIt();
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kNote) << CheckLines(run.checks);
  EXPECT_EQ(Listing(folder_ / "run"), before);
  fs::permissions(folder_ / "run", fs::perms::owner_all);
  // Neither is a damaged one: `report` would cut off the torn record and remove the leftover.
  fs::permissions(In("cells.jsonl"), fs::perms::owner_all);
  WriteAll(In("cells.jsonl"), whole_.at("cells.jsonl") + "{\"key\"");
  WriteAll(In("lock.json.tmp.1.1"), "x");
  const auto damaged = Listing(folder_ / "run");
  CheckIt();
  EXPECT_EQ(Listing(folder_ / "run"), damaged);
}

TEST_F(ReproduceTest, AFolderInUseIsSaidAndWritersWaitForReaders) {
  {
    auto writer = RunFolder::OpenExisting(folder_ / "run");
    ASSERT_TRUE(writer.ok()) << writer.status();
    const auto run = CheckRunFolder(folder_ / "run");
    EXPECT_EQ(ReasonOf(run.status()), "FOLDER_IN_USE");
    EXPECT_TRUE(absl::StrContains(run.status().message(), "steerctl, process")) << run.status();
  }
  {
    auto reader = FolderHold::Take(folder_ / "run");
    ASSERT_TRUE(reader.ok() && (*reader)->held());
    EXPECT_TRUE(CheckRunFolder(folder_ / "run").ok()) << "readers do not keep readers out";
    const auto writer = RunFolder::Open(folder_ / "run", *lock_);
    EXPECT_EQ(ReasonOf(writer.status()), "FOLDER_IN_USE");
  }
  EXPECT_TRUE(RunFolder::Open(folder_ / "run", *lock_).ok());
  fs::remove(In(".writer"));
  EXPECT_FALSE((*FolderHold::Take(folder_ / "run"))->held());
  EXPECT_EQ(WorstOf(CheckIt().checks), CheckWeight::kNote);
}

TEST_F(ReproduceTest, ASecondRunReproducesTheFirst) {
  ASSERT_NO_FATAL_FAILURE(MakeRun("again"));
  const auto comparison = CompareRuns(CheckIt(), CheckIt("again"));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->reproduced());
  EXPECT_EQ(comparison->cells, 2 * (12 + 6));
  EXPECT_TRUE(absl::StartsWith(ComparisonLines(*comparison), "reproduced, byte for byte\n"));
}

TEST_F(ReproduceTest, AnotherRunSaysWhichCellsAndHow) {
  service_.behaviour.numeric_fingerprint = std::string(64, 'c');
  service_.behaviour.baseline_refusal = 0.6;
  ASSERT_NO_FATAL_FAILURE(MakeRun("other"));
  const auto comparison = CompareRuns(CheckIt(), CheckIt("other"));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_FALSE(comparison->reproduced());
  EXPECT_NE(comparison->our_fingerprints, comparison->their_fingerprints);
  EXPECT_EQ(comparison->differing.size(), 36u) << "each cell names its server's numbers";
  int outcomes = 0;
  for (const CellDifference& d : comparison->differing) {
    EXPECT_TRUE(d.fingerprint);
    // Judged by the counts, which come another way.
    EXPECT_GE(d.rows_refused, std::abs(d.ours.refused - d.theirs.refused)) << d.key;
    outcomes += d.rows_refused > 0;
  }
  EXPECT_GT(outcomes, 0);
  const std::string lines = ComparisonLines(*comparison, 3);
  EXPECT_TRUE(absl::StrContains(lines, "not byte for byte: outcomes differ")) << lines;
  EXPECT_TRUE(absl::StrContains(lines, "and 33 more")) << lines;
  EXPECT_FALSE(absl::StrContains(lines + ComparisonJson(*comparison).dump(), kCanary));
}

TEST_F(ReproduceTest, OtherNumbersWithEqualRowsAreSaidToBeEqual) {
  ASSERT_NO_FATAL_FAILURE(MakeRun("other"));
  // The same rows under another fingerprint, which keys of fits begin with.
  const std::string ours = service_.behaviour.numeric_fingerprint, theirs(64, 'c');
  std::string log;
  for (absl::string_view line : absl::StrSplit(whole_.at("cells.jsonl"), '\n', absl::SkipEmpty())) {
    const std::string changed = absl::StrReplaceAll(
        absl::StrReplaceAll(line, {{ours, theirs}}),
        {{absl::StrCat("/fit/", ours.substr(0, 12)), absl::StrCat("/fit/", theirs.substr(0, 12))}});
    absl::StrAppend(&log, Reseal(changed), "\n");
  }
  WriteAll(folder_ / "other/cells.jsonl", log);
  const auto comparison = CompareRuns(CheckIt(), CheckIt("other"));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_FALSE(comparison->reproduced());
  EXPECT_TRUE(comparison->same_verdict());
  EXPECT_EQ(ComparisonJson(*comparison)["conclusion"],
            "not byte for byte: every row is equal, and the verdict is the same");
}

TEST_F(ReproduceTest, EqualAndUnfinishedIsNoReproduction) {
  ASSERT_NO_FATAL_FAILURE(MakeRun("again"));
  for (const char* name : {"run", "again"})
    WriteAll(folder_ / (std::string(name) + "/cells.jsonl"), "");
  const auto comparison = CompareRuns(CheckIt(), CheckIt("again"));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->same_bytes);
  EXPECT_FALSE(comparison->reproduced());
}

TEST_F(ReproduceTest, RunsOfAnotherLockAreNotCompared) {
  CheckedRun ours = CheckIt(), theirs = CheckIt();
  theirs.lock->digest[0] ^= 1;
  EXPECT_EQ(ReasonOf(CompareRuns(ours, theirs).status()), "FOLDER_OF_ANOTHER_LOCK");
}

}  // namespace
}  // namespace steer
