#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "client/report/figures.h"
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

  void AddFit(const std::set<int>& usable = {1, 2}, const std::vector<int>& positions = {-1}) {
    FitRecord fit;
    fit.plan_digest = lock_.digest;
    fit.seed = 4;
    fit.set_id = std::string(64, 'e');
    fit.content_digest = std::string(64, 'f');
    fit.numeric_fingerprint = std::string(64, 'b');
    fit.layers = 3;
    for (int position : positions) {
      for (int l = 0; l < 3; ++l) {
        fit.reports.push_back({position, l, usable.count(l) > 0, 2.0 - position, 1.5 + l, 0.9, 0.2,
                               10, 0.8, std::string(64, '3')});
      }
    }
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
    AddSelectionCells({1, 2});
    SelectionRecord selection{lock_.digest, 4, true, 2, {2}};
    ASSERT_TRUE(log_->Append(ToRecord(selection)).ok());
  }

  void AddSelectionCells(const std::vector<int>& layers) {
    for (const ArmSpec& arm : SelectionArms(layers)) {
      int refused = arm.edit == EditKind::kNone     ? (arm.prompts == PromptClass::kHarmful ? 2 : 0)
                    : arm.edit == EditKind::kAblate ? 0
                                                    : (arm.layer == 2 ? 2 : 0);
      AddCell(Stage::kSelection, arm, 2, refused, arm.layer);
    }
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

TEST_F(Report, AFailureThatHasNoReasonIsSaidByItsCode) {
  FailureRecord failure{lock_.digest, "seed-4/fit/bbbbbbbbbbbb", 1, "UNKNOWN", "", ""};
  ASSERT_TRUE(log_->Append(ToRecord(failure, Json::object())).ok());
  const std::string table = RenderTable(lock_, *BuildSummary(lock_, *log_));
  EXPECT_TRUE(absl::StrContains(table, "failed: seed-4/fit/bbbbbbbbbbbb: UNKNOWN\n")) << table;
}

TEST_F(Report, AnUnusableLayerIsListedWithoutASwing) {
  AddFit({1});
  AddSelectionCells({1});
  ASSERT_TRUE(log_->Append(ToRecord(SelectionRecord{lock_.digest, 4, true, 1, {1}})).ok());
  const auto summary = BuildSummary(lock_, *log_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  const Json swings = SummaryJson(lock_, *summary)["seeds"][0]["selection"]["swings"];
  EXPECT_EQ(swings[0]["swing"], 1.0);
  EXPECT_EQ(swings[1], (Json{{"layer", 2}, {"usable", false}}));
  const std::string html = RenderHtml(lock_, *summary, "", "");
  EXPECT_TRUE(absl::StrContains(html, "+1.0000 (chosen)")) << html;
  const std::string figure = ExperimentFigure(lock_, *summary, ImageFormat::kSvg);
  EXPECT_TRUE(absl::StrContains(figure, "$swing0 << EOD\n1 1.000000\nEOD\n")) << figure;
}

TEST_F(Report, WithoutAUsableLayerNothingIsChosenAndThatIsSaid) {
  AddFit({});
  AddSelectionCells({});
  ASSERT_TRUE(log_->Append(ToRecord(SelectionRecord{lock_.digest, 4, false, -1, {}})).ok());
  const auto outputs = WriteOutputs(lock_, *log_, RunPaths(folder_.path()));
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_TRUE(outputs->figures.ok()) << outputs->figures;
  const Json summary = *ReadJsonFile(folder_ / "summary.json");
  EXPECT_EQ(summary["seeds"][0]["selection"]["chosen"], false);
  EXPECT_TRUE(summary["seeds"][0]["selection"]["layer"].is_null());
  EXPECT_TRUE((*ReadJsonFile(folder_ / "verdict.json"))["seeds"][0]["layer"].is_null());
  const std::string table = RenderTable(lock_, outputs->summary);
  EXPECT_TRUE(absl::StrContains(table, "INCOMPLETE (no layer has a usable direction)")) << table;
  EXPECT_FALSE(absl::StrContains(ReadAll(folder_ / "report.html"), "(chosen)"));
}

TEST_F(Report, SeparationIsShownAtThePositionOfTheChoice) {
  AddFit({1, 2}, {-1, -2});
  AddSelection();
  const auto summary = BuildSummary(lock_, *log_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  const std::string html = RenderHtml(lock_, *summary, "", "");
  // Norms are 3 at position -1 and 4 at -2.
  EXPECT_TRUE(absl::StrContains(html, "<td>yes</td><td>3</td>")) << html;
  EXPECT_FALSE(absl::StrContains(html, "<td>yes</td><td>4</td>")) << html;
  const LabelledFit fit = {"seed 4", &*summary->seeds[0].fit};
  const std::string there = SeparationFigure({fit}, -2, ImageFormat::kSvg);
  EXPECT_TRUE(absl::StrContains(there, "$fit0 << EOD\n1 2.5 4 0.9\n2 3.5 4 0.9\nEOD\n")) << there;
  const std::string nowhere = SeparationFigure({fit}, -3, ImageFormat::kSvg);
  EXPECT_FALSE(absl::StrContains(nowhere, "$fit0")) << nowhere;
  EXPECT_TRUE(absl::StrContains(nowhere, "plot [][0:1] -1 notitle")) << nowhere;
}

TEST_F(Report, ATestSplitWithoutPromptsCannotBeDecided) {
  for (ClassSplits* c : {&lock_.splits[0].harmful, &lock_.splits[0].harmless}) c->test.clear();
  AddCell(Stage::kTest, lock_.arms[0], 0, 0, -1);
  const absl::Status status = BuildSummary(lock_, *log_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST_F(Report, TextThatJsonCannotCarryIsRefused) {
  lock_.plan.model_name = "\xff";
  const absl::Status status = WriteOutputs(lock_, *log_, RunPaths(folder_.path())).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "summary.json"));
}

TEST_F(Report, TheFirstFileThatIsNotTakenEndsTheMaking) {
  AddFit();
  AddSelection();
  for (OutputFile refused : {OutputFile::kSummary, OutputFile::kVerdict, OutputFile::kFigureSvg,
                             OutputFile::kFigurePng, OutputFile::kReport}) {
    std::vector<OutputFile> taken;
    const auto outputs = MakeOutputs(lock_, *log_, [&](OutputFile file, absl::string_view) {
      if (file == refused) return absl::ResourceExhaustedError("full");
      taken.push_back(file);
      return absl::OkStatus();
    });
    EXPECT_EQ(outputs.status(), absl::ResourceExhaustedError("full"));
    EXPECT_EQ(taken.size(), static_cast<size_t>(refused)) << "in their order";
  }
}

TEST(Table, AnArmIsTitledByItsEditLayerAndDraw) {
  EXPECT_EQ(ArmTitle(SelectionArms({7})[0]), "baseline");
  EXPECT_EQ(ArmTitle(SelectionArms({7})[2]), "ablate layer 7");
  EXPECT_EQ(ArmTitle({"", PromptClass::kHarmless, EditKind::kAdd, -1, 3}), "add, control 3");
}

TEST(Table, AlignsByCharactersNotBytes) {
  EXPECT_EQ(AlignColumns({{"é", "1"}, {"ab", "22"}}, {1}), "é    1\nab  22\n");
}

}  // namespace
}  // namespace steer
