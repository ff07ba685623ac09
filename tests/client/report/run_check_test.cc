// A run folder checked from itself alone: whole, damaged in every file, forged, read-only, in use.
#include "client/report/run_check.h"

#include <sys/stat.h>

#include <cstdlib>

#include "absl/strings/str_replace.h"
#include "client/report/output_check.h"
#include "common/errors.h"
#include "tests/client/report/run_folder_fixture.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

class RunCheck : public RunFolderFixture {};

const char* const kDerived[] = {"summary.json", "verdict.json", "figure.svg", "figure.png",
                                "report.html"};

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

TEST_F(RunCheck, AWholeFolderHasNothingToSay) {
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

TEST_F(RunCheck, EveryDamageOfLockAndLogIsFound) {
  Damage("lock.json", 150);
  Damage("cells.jsonl", 300);
}

TEST_F(RunCheck, EveryDamageOfADerivedFileIsFound) {
  for (const char* name : kDerived) Damage(name, 5);
}

TEST_F(RunCheck, EveryFileThatIsGoneIsFound) {
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

TEST_F(RunCheck, ALogThatSaysTheSameInOtherBytesIsFound) {
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

TEST_F(RunCheck, AForgedRecordContradictsOthers) {
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

TEST_F(RunCheck, AnUnfinishedRunIsUnfinishedAndNotDamaged) {
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

TEST_F(RunCheck, FiguresOfAnotherGnuplotAreNotChecked) {
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

TEST_F(RunCheck, APngOfOtherFontsFailsNothingButItself) {
  std::string png = whole_.at("figure.png");
  // An empty text chunk before the end: whole, and other bytes. The CRC is from zlib.
  png.insert(png.size() - 12, std::string("\0\0\0\0tEXt\x96\x42\xc5\x85", 12));
  ASSERT_TRUE(IsWholePng(png));
  WriteAll(In("figure.png"), png);
  const CheckedRun run = CheckIt();
  EXPECT_EQ(Find(run, "figure.png")->state, CheckState::kDiffers);
  EXPECT_EQ(WorstOf(run.checks), CheckWeight::kFigure) << CheckLines(run.checks);
}

TEST_F(RunCheck, EveryChangedByteOfAPngIsFound) {
  const std::string png = whole_.at("figure.png");
  for (size_t at = 0; at < png.size(); at += 1 + png.size() / 2000) {
    std::string changed = png;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    EXPECT_FALSE(IsWholePng(changed)) << at;
  }
}

TEST_F(RunCheck, WithoutGnuplotFiguresAreNotChecked) {
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

TEST_F(RunCheck, StrangersAreNamedAndChangeNothing) {
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

TEST_F(RunCheck, APipeIsNotWaitedFor) {
  for (const auto& [name, bytes] : whole_) {
    fs::remove(In(name));
    ASSERT_EQ(mkfifo(In(name).c_str(), 0600), 0);
    EXPECT_EQ(ReasonOf(CheckRunFolder(folder_ / "run").status()), "NOT_A_RUN_FOLDER") << name;
    fs::remove(In(name));
    WriteAll(In(name), bytes);
  }
  const std::string name = "sets/" + std::string(64, 'a') + ".safetensors";
  fs::create_directory(In("sets"));
  ASSERT_EQ(mkfifo(In(name).c_str(), 0600), 0);
  ExpectFound(name, "a pipe");
}

TEST_F(RunCheck, FactsThatDoNotGiveTheirFingerprintAreSaid) {
  WriteAll(In("run.json"), absl::StrReplaceAll(whole_.at("run.json"),
                                               {{"\"threads\": \"2\"", "\"threads\": \"4\""}}));
  CheckedRun run = CheckIt();
  EXPECT_EQ(Find(run, "run.json")->state, CheckState::kNotChecked);
  EXPECT_FALSE(run.provenance.servers.at(0).proven);
  WriteAll(In("run.json"), "{}");
  ExpectFound("run.json", "no sessions");
}

TEST_F(RunCheck, NothingIsWrittenAndAReadOnlyFolderWill) {
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

TEST_F(RunCheck, AFolderInUseIsSaidAndWritersWaitForReaders) {
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

}  // namespace
}  // namespace steer
