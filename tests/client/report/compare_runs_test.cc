// Two runs of one lock compared, and the commands that make one of the other.
#include "client/report/compare_runs.h"

#include <cstdlib>
#include <set>

#include "absl/strings/str_replace.h"
#include "client/report/reproduce_commands.h"
#include "common/errors.h"
#include "tests/client/report/run_folder_fixture.h"

namespace steer {
namespace {

class CompareTest : public RunFolderFixture {};

TEST_F(CompareTest, ASecondRunReproducesTheFirst) {
  ASSERT_NO_FATAL_FAILURE(MakeRun("again"));
  const auto comparison = CompareRuns(CheckIt(), CheckIt("again"));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->reproduced());
  EXPECT_EQ(comparison->cells, 2 * (12 + 6));
  EXPECT_TRUE(absl::StartsWith(ComparisonLines(*comparison), "reproduced, byte for byte\n"));
}

TEST_F(CompareTest, AnotherRunSaysWhichCellsAndHow) {
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

TEST_F(CompareTest, OtherNumbersWithEqualRowsAreSaidToBeEqual) {
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

TEST_F(CompareTest, EqualAndUnfinishedIsNoReproduction) {
  ASSERT_NO_FATAL_FAILURE(MakeRun("again"));
  for (const char* name : {"run", "again"})
    WriteAll(folder_ / (std::string(name) + "/cells.jsonl"), "");
  const auto comparison = CompareRuns(CheckIt(), CheckIt("again"));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->same_bytes);
  EXPECT_FALSE(comparison->reproduced());
}

TEST_F(CompareTest, RunsOfAnotherLockAreNotCompared) {
  CheckedRun ours = CheckIt(), theirs = CheckIt();
  theirs.lock->digest[0] ^= 1;
  EXPECT_EQ(ReasonOf(CompareRuns(ours, theirs).status()), "FOLDER_OF_ANOTHER_LOCK");
}

TEST_F(CompareTest, ARunThatIsTooDamagedIsNamed) {
  CheckedRun ours = CheckIt(), theirs = CheckIt();
  theirs.summary.reset();
  absl::Status status = CompareRuns(ours, theirs).status();
  EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED");
  EXPECT_EQ(status.message(), "the other run is too damaged to be compared");
  status = CompareRuns(theirs, ours).status();
  EXPECT_EQ(status.message(), "this run is too damaged to be compared");
  // A cell that the lock does not ask for, so that the summary does not read it.
  const Json record = {{"key", "seed-1/test/other"},
                       {"schema", kRecordSchema},
                       {"observed", Json::object()},
                       {"payload", {{"kind", "cell"}, {"plan_digest", lock_->digest}}}};
  WriteAll(In("cells.jsonl"), absl::StrCat(whole_.at("cells.jsonl"), Reseal(record.dump()), "\n"));
  theirs = CheckIt();
  ASSERT_TRUE(theirs.summary);
  EXPECT_EQ(CompareRuns(ours, theirs).status().code(), absl::StatusCode::kDataLoss);
  status = CompareRuns(theirs, ours).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StrContains(status.message(), "seed-1/test/other")) << status;
}

TEST_F(CompareTest, CellsThatOneLacksAreCountedAndNothingIsDecided) {
  const CheckedRun whole = CheckIt();
  const std::string bytes = whole_.at("cells.jsonl");
  WriteAll(In("cells.jsonl"),
           bytes.substr(0, bytes.rfind('\n', bytes.find("\"key\":\"seed-1/test/")) + 1));
  const CheckedRun part = CheckIt();
  const auto ours = CompareRuns(whole, part), theirs = CompareRuns(part, whole);
  ASSERT_TRUE(ours.ok() && theirs.ok()) << ours.status() << theirs.status();
  EXPECT_EQ(ours->only_ours.size(), 6u);
  EXPECT_EQ(theirs->only_theirs, ours->only_ours);
  EXPECT_FALSE(ours->complete || theirs->complete);
  EXPECT_TRUE(absl::StartsWith(ComparisonLines(*ours),
                               "not decided: a run has not come to its end\n"
                               "verdict: "));
  EXPECT_TRUE(absl::StrContains(ComparisonLines(*ours), ", 6 only here\n"));
  EXPECT_TRUE(absl::StrContains(ComparisonLines(*theirs), ", 6 only there\n"));
  const auto equal = CompareRuns(part, part);
  ASSERT_TRUE(equal.ok()) << equal.status();
  EXPECT_EQ(ComparisonJson(*equal)["conclusion"],
            "not decided: equal as far as both are measured, but a run has not come to its end");
}

TEST_F(CompareTest, WhatDiffersInACellIsSaid) {
  const CheckedRun whole = CheckIt();
  const std::string cell = "seed-0/test/ablate/harmful";
  const auto compare = [&](const std::function<void(Json*)>& change) {
    ChangeRecord(cell, change);
    return *CompareRuns(whole, CheckIt());
  };
  RunComparison found = compare([](Json* json) { (*json)["payload"]["layer"] = 1; });
  ASSERT_EQ(found.differing.size(), 1u);
  EXPECT_TRUE(found.differing[0].direction && found.differing[0].same_rows);
  EXPECT_TRUE(absl::StrContains(ComparisonLines(found), "  another\n")) << ComparisonLines(found);

  found = compare(
      [](Json* json) { (*json)["payload"]["rows"]["token_digests"][0] = std::string(64, '0'); });
  EXPECT_TRUE(found.same_bytes && found.complete);
  EXPECT_FALSE(found.reproduced());
  ASSERT_EQ(found.differing.size(), 1u);
  EXPECT_EQ(found.differing[0].rows_tokens, 1);
  const std::string lines = ComparisonLines(found);
  EXPECT_TRUE(absl::StartsWith(lines,
                               "not byte for byte: every row has the same outcome, and the verdict "
                               "is the same\n"))
      << lines;
  EXPECT_FALSE(absl::StrContains(lines, "more; --json has all")) << lines;

  found = compare([](Json* json) {
    Json& refused = (*json)["payload"]["rows"]["refused"];
    refused = std::string(refused.get<std::string>().size(), 'R');
  });
  EXPECT_TRUE(absl::StartsWith(ComparisonLines(found),
                               "not byte for byte: outcomes differ, and the verdict is another "
                               "one\nverdict: SINGLE-DIRECTION-REPRODUCES here, SEEDS-DISAGREE "
                               "there\n"))
      << ComparisonLines(found);
}

class Commands : public RunFolderFixture {
 protected:
  std::vector<ShellCommand> Make(const std::set<std::string>& fingerprints,
                                 const CommandInputs& inputs) {
    const CheckedRun run = CheckIt();
    return ReproduceCommands(*lock_, run.provenance, fingerprints, inputs);
  }
  const CommandInputs kInputs = {"/runs/a b", "/runs/new", "", ""};
};

TEST_F(Commands, FlagsComeFromProvenFactsAlone) {
  const std::string here = service_.behaviour.numeric_fingerprint;
  EXPECT_TRUE(absl::StrContains(Make({here}, kInputs)[0].command, " --device cpu --threads 2"));
  // Another server's cells: nothing is claimed of it.
  const ShellCommand other = Make({std::string(64, 'c')}, kInputs)[0];
  EXPECT_FALSE(absl::StrContains(other.command, "--threads")) << other.command;
  EXPECT_TRUE(absl::StrContains(other.what, "does not prove")) << other.what;
  // One server a fingerprint.
  EXPECT_EQ(Make({here, std::string(64, 'c')}, kInputs).size(), 5u);
  // Facts of a file that was changed are no flags.
  WriteAll(In("run.json"), absl::StrReplaceAll(whole_.at("run.json"),
                                               {{"\"threads\": \"2\"", "\"threads\": \"4\""}}));
  EXPECT_FALSE(absl::StrContains(Make({here}, kInputs)[0].command, "--threads"));
}

TEST_F(Commands, WhatTheFolderCannotKnowIsAskedFor) {
  const auto commands = Make({service_.behaviour.numeric_fingerprint}, kInputs);
  ASSERT_EQ(commands.size(), 4u);
  EXPECT_EQ(commands[0].fill_in, std::vector<std::string>{"MODEL"});
  EXPECT_EQ(commands[2].fill_in, std::vector<std::string>{"DATA_ROOT"});
  EXPECT_EQ(commands[2].command,
            "steerctl run '/runs/a b/lock.json' --data-root "
            "\"${DATA_ROOT:?set DATA_ROOT to the folder of the data files}\" --output /runs/new");
  EXPECT_EQ(commands[3].command, "steerctl reproduce '/runs/a b' --against /runs/new");
  CommandInputs known = kInputs;
  known.data_root = "/d$x";
  known.server = "a:1,b:2";
  EXPECT_EQ(Make({service_.behaviour.numeric_fingerprint}, known)[2].command,
            "steerctl run '/runs/a b/lock.json' --data-root '/d$x' --output /runs/new --server "
            "a:1,b:2");
}

TEST_F(Commands, FactsThatAreNoNumbersOrDevicesGiveNoFlags) {
  const std::string here = service_.behaviour.numeric_fingerprint;
  ServerProvenance server;
  server.numeric_fingerprint = here;
  server.proven = true;
  const auto flags = [&](const std::string& device, const std::string& threads) {
    server.device = device;
    server.numeric_facts = {{"threads", threads}, {"decode_rows", "8"}};
    RunProvenance provenance;
    provenance.servers = {server};
    const std::string command = ReproduceCommands(*lock_, provenance, {here}, kInputs)[0].command;
    return command.substr(command.find(" --dtype"));
  };
  EXPECT_EQ(flags("cuda", "4"), " --dtype float32 --device cuda --threads 4 --decode-rows 8");
  EXPECT_EQ(flags("cpu", "0"), " --dtype float32 --device cpu --decode-rows 8");
  EXPECT_EQ(flags("; touch pwned", "$(pwned)"), " --dtype float32 --decode-rows 8");
}

// A lock of somebody else may hold any name; comments end with the line that they begin in.
TEST_F(Commands, ANameNeitherEndsACommentNorRunsAnything) {
  lock_->plan.model_name = "x\ntouch pwned #";
  lock_->plan.harmful.file = "y\r\ntouch pwned";
  auto commands = Make({service_.behaviour.numeric_fingerprint}, kInputs);
  const std::string text = CommandLines(commands);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(absl::StartsWith(line, "# ") || absl::StartsWith(line, "steer")) << line;
  }
  EXPECT_FALSE(absl::StrContains(commands[0].command, "touch")) << commands[0].command;
  lock_->plan.model_name = "a'; touch pwned; '";
  commands = Make({service_.behaviour.numeric_fingerprint}, kInputs);
  EXPECT_TRUE(absl::StrContains(commands[0].command, R"('--name=a'\''; touch pwned; '\''')"))
      << commands[0].command;
}

}  // namespace
}  // namespace steer
