#include <filesystem>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "client/report/figures.h"
#include "client/report/gnuplot.h"
#include "client/report/html.h"
#include "client/report/outputs.h"
#include "client/report/table.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

// A lock and a log of one seed, made by hand: two layers, four test prompts.
class Report : public ::testing::Test {
 protected:
  Report() {
    lock_.digest = std::string(64, 'd');
    lock_.plan.name = "by-hand";
    lock_.plan.model_name = "mo<del> & 'co'";
    lock_.plan.readout = "post-1";
    lock_.plan.rule = "post-1";
    lock_.plan.dtype = "float32";
    lock_.plan.control_family = "isotropic";
    lock_.plan.seeds = {4};
    lock_.plan.sizes = {2, 2, 4};
    lock_.plan.control_draws = 1;
    lock_.model_layers = 3;
    lock_.candidate_layers = {1, 2};
    lock_.arms = TestArms(lock_.plan);
    SeedSplits splits;
    splits.seed = 4;
    for (ClassSplits* c : {&splits.harmful, &splits.harmless}) {
      c->train.resize(2);
      c->validation.resize(2);
      c->test.resize(4);
    }
    lock_.splits = {splits};
    log_ = *ResultLog::Open(folder_ / "cells.jsonl");
  }

  void AddFit() {
    FitRecord fit;
    fit.plan_digest = lock_.digest;
    fit.seed = 4;
    fit.set_id = std::string(64, 'e');
    fit.content_digest = std::string(64, 'f');
    fit.numeric_fingerprint = std::string(64, 'b');
    fit.layers = 3;
    for (int l = 0; l < 3; ++l)
      fit.reports.push_back({-1, l, l > 0, 2.0, 1.5 + l, 0.9, 0.2, 10, 0.8, std::string(64, '3')});
    ASSERT_TRUE(log_->Append(ToRecord(fit, Json::object())).ok());
  }

  void AddCell(Stage stage, const ArmSpec& arm, int n, int refused, int layer) {
    CellRecord cell;
    cell.plan_digest = lock_.digest;
    cell.seed = 4;
    cell.stage = stage;
    cell.arm = arm;
    cell.layer = layer;
    cell.numeric_fingerprint = std::string(64, 'b');
    cell.rows.resize(static_cast<size_t>(n));
    for (int i = 0; i < refused; ++i) cell.rows[static_cast<size_t>(i)].refused = true;
    ASSERT_TRUE(log_->Append(ToRecord(cell, Json::object())).ok());
  }

  // Selection: layer 1 swings by 1 (both of two harmful refused, none when ablated; none added),
  // layer 2 by 2.
  void AddSelection() {
    for (const ArmSpec& arm : SelectionArms({1, 2})) {
      int refused = arm.edit == EditKind::kNone     ? (arm.prompts == PromptClass::kHarmful ? 2 : 0)
                    : arm.edit == EditKind::kAblate ? 0
                                                    : (arm.layer == 2 ? 2 : 0);
      AddCell(Stage::kSelection, arm, 2, refused, arm.layer);
    }
    SelectionRecord selection{lock_.digest, 4, true, 2, {2}};
    ASSERT_TRUE(log_->Append(ToRecord(selection)).ok());
  }

  void AddTest() {
    for (const ArmSpec& arm : lock_.arms) {
      bool control = arm.control_draw.has_value();
      int refused = arm.prompts == PromptClass::kHarmful
                        ? (arm.edit == EditKind::kNone || control ? 4 : 0)
                        : (arm.edit == EditKind::kAdd && !control ? 3 : 0);
      AddCell(Stage::kTest, arm, 4, refused, arm.edit == EditKind::kNone ? -1 : 2);
    }
  }

  TemporaryFolder folder_;
  Lock lock_;
  std::unique_ptr<ResultLog> log_;
};

TEST_F(Report, SummaryHoldsCountsIntervalsMarginsAndVerdict) {
  AddFit();
  AddSelection();
  AddTest();
  auto summary = BuildSummary(lock_, *log_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->overall, Verdict::kSingleDirectionReproduces);
  const SeedSummary& seed = summary->seeds[0];
  EXPECT_EQ(seed.selection->layer, 2);
  const ArmSummary* add = seed.FindTest("add/harmless");
  ASSERT_NE(add, nullptr);
  EXPECT_EQ(add->refusals, (RefusalCount{3, 4}));
  EXPECT_NEAR(add->wilson.low, 0.3006, 1e-3);
  EXPECT_NEAR(add->wilson.high, 0.9544, 1e-3);
  EXPECT_NEAR(*add->paired_p, 0.25, 1e-12);  // 3 of 3 discordant pairs
  Json json = SummaryJson(lock_, *summary);
  EXPECT_EQ(json["seeds"][0]["decision"]["margins"].size(), 5u);
  EXPECT_EQ(json["seeds"][0]["selection"]["swings"][1]["swing"], 2.0);
  std::string table = RenderTable(lock_, *summary);
  EXPECT_TRUE(absl::StrContains(table, "3/4")) << table;
  EXPECT_TRUE(absl::StrContains(table, "verdict: SINGLE-DIRECTION-REPRODUCES"));
}

TEST_F(Report, AMissingCellIsIncompleteAndSaysWhich) {
  AddFit();
  AddSelection();
  auto summary = BuildSummary(lock_, *log_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->overall, Verdict::kIncomplete);
  EXPECT_EQ(summary->seeds[0].decision.missing.size(), 6u);
  EXPECT_TRUE(absl::StrContains(RenderTable(lock_, *summary), "missing"));
}

TEST_F(Report, AnEmptyLogStillMakesEveryOutput) {
  auto outputs = WriteOutputs(lock_, *log_, RunPaths(folder_.path()));
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_TRUE(outputs->figures.ok()) << outputs->figures;
  EXPECT_EQ(outputs->summary.overall, Verdict::kIncomplete);
  for (const char* name :
       {"summary.json", "verdict.json", "figure.svg", "figure.png", "report.html"}) {
    EXPECT_GT(std::filesystem::file_size(folder_ / name), 100u) << name;
  }
}

TEST_F(Report, OutputsHaveTheSameBytesEachTime) {
  AddFit();
  AddSelection();
  AddTest();
  RunPaths paths(folder_.path());
  ASSERT_TRUE(WriteOutputs(lock_, *log_, paths).ok());
  std::string first = ReadAll(paths.summary) + ReadAll(paths.figure_svg) +
                      ReadAll(paths.figure_png) + ReadAll(paths.report);
  absl::SleepFor(absl::Seconds(1.1));  // a clock in a file would show
  ASSERT_TRUE(WriteOutputs(lock_, *log_, paths).ok());
  EXPECT_TRUE(first == ReadAll(paths.summary) + ReadAll(paths.figure_svg) +
                           ReadAll(paths.figure_png) + ReadAll(paths.report));
}

TEST_F(Report, HtmlIsSelfContainedAndEscaped) {
  AddFit();
  AddSelection();
  AddTest();
  ASSERT_TRUE(WriteOutputs(lock_, *log_, RunPaths(folder_.path())).ok());
  std::string html = ReadAll(folder_ / "report.html");
  EXPECT_TRUE(absl::StrContains(html, "mo&lt;del&gt; &amp; &#39;co&#39;"));
  EXPECT_FALSE(absl::StrContains(html, "mo<del>"));
  EXPECT_FALSE(absl::StrContains(html, "<script"));
  EXPECT_FALSE(absl::StrContains(html, "src="));
  EXPECT_TRUE(absl::StrContains(html, lock_.digest));
  size_t figures = 0;
  for (size_t at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1))
    ++figures;
  EXPECT_EQ(figures, 2u);
}

TEST_F(Report, ARecordOfAnotherLockOrAForgedChoiceIsRefused) {
  AddFit();
  AddSelection();
  Lock other = lock_;
  other.digest = std::string(64, 'f');
  EXPECT_EQ(ReasonOf(BuildSummary(other, *log_).status()), "LOG_DAMAGED");
  std::filesystem::remove(folder_ / "cells.jsonl");
  log_ = *ResultLog::Open(folder_ / "cells.jsonl");
  AddFit();
  SelectionRecord forged{lock_.digest, 4, true, 1, {1}};
  ASSERT_TRUE(log_->Append(ToRecord(forged)).ok());
  EXPECT_EQ(ReasonOf(BuildSummary(lock_, *log_).status()), "LOG_DAMAGED");
}

TEST_F(Report, ASupersededFailureLeavesNoTrace) {
  AddFit();
  AddSelection();
  FailureRecord failure{lock_.digest, "seed-4/test/ablate/harmful", 1, "INTERNAL", "WRONG_RECEIPT",
                        "edits"};
  ASSERT_TRUE(log_->Append(ToRecord(failure, Json::object())).ok());
  EXPECT_EQ(BuildSummary(lock_, *log_)->seeds[0].failures.size(), 1u);
  AddTest();
  EXPECT_TRUE(BuildSummary(lock_, *log_)->seeds[0].failures.empty());
}

TEST(Gnuplot, QuotesAndReportsFailure) {
  EXPECT_EQ(GnuplotQuote("it's\n"), "'it''s '");
  absl::StatusOr<std::string> bad = RunGnuplot("set terminal svg\nplot this is wrong\n");
  EXPECT_EQ(ReasonOf(bad.status()), "FIGURE");
  absl::StatusOr<std::string> slow = RunGnuplot("pause 30\n", absl::Milliseconds(300));
  EXPECT_EQ(ReasonOf(slow.status()), "FIGURE");
}

TEST(Table, AlignsByCharactersNotBytes) {
  EXPECT_EQ(AlignColumns({{"é", "1"}, {"ab", "22"}}, {1}), "é    1\nab  22\n");
}

}  // namespace
}  // namespace steer
