// What the readers of records refuse, field by field.
#include "client/run/records.h"

#include "client/run/run_folder.h"
#include "common/errors.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

FitRecord MadeFit() {
  FitRecord fit;
  fit.plan_digest = std::string(64, 'd');
  fit.seed = 3;
  fit.set_id = std::string(64, '1');
  fit.content_digest = std::string(64, '2');
  fit.method = "difference-of-means-1";
  fit.layers = 2;
  fit.hidden = 8;
  fit.reports = {{-1, 0, false, 0, 0, 0.5, 0, 1, 0, ""},
                 {-1, 1, true, 2, 3, 0.9, 0.1, 4, 0.5, "aa"}};
  return fit;
}

CellRecord MadeCell() {
  CellRecord cell;
  cell.scores = true;
  cell.rows = {{true, RowQuality::kOk, RowFinish::kCertain, 5, 0.5, 0.25, "aa"},
               {false, RowQuality::kNotJudged, RowFinish::kLength, 6, 1.5, 1.25, "bb"}};
  return cell;
}

TEST(RecordFields, AFitReadsBackEqualAndMissesNothing) {
  const FitRecord fit = MadeFit();
  const Record record = ToRecord(fit, Json::object());
  const auto parsed = ParseFit(record);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, fit);
  for (auto it = record.payload.begin(); it != record.payload.end(); ++it) {
    if (it.key() == "kind") continue;
    Record broken = record;
    broken.payload.erase(it.key());
    EXPECT_EQ(ReasonOf(ParseFit(broken).status()), "LOG_DAMAGED") << it.key();
    broken.payload[it.key()] = Json::object();
    EXPECT_EQ(ReasonOf(ParseFit(broken).status()), "LOG_DAMAGED") << it.key();
  }
  Record broken = record;
  broken.payload["reports"][1].erase("auc");
  const absl::Status status = ParseFit(broken).status();
  EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED");
  EXPECT_NE(status.message().find("\"auc\" is missing"), absl::string_view::npos) << status;
}

TEST(RecordFields, AReportIsFoundByPositionAndLayer) {
  FitRecord fit = MadeFit();
  ASSERT_NE(fit.Find(-1, 1), nullptr);
  EXPECT_EQ(fit.Find(-1, 1)->norm, 2);
  EXPECT_EQ(fit.Find(-2, 1), nullptr);
  EXPECT_EQ(fit.Find(-1, 2), nullptr);
}

TEST(RecordFields, EveryRowOfACellHasWhatItMustHave) {
  const Record record = ToRecord(MadeCell(), Json::object());
  ASSERT_TRUE(ParseCell(record).ok());
  const std::pair<const char*, Json> changes[] = {
      {"/rows", Json::array()},
      {"/rows/refused", "R"},
      {"/rows/refused", "Rx"},
      {"/rows/refused", 5},
      {"/rows/quality", "OX"},
      {"/rows/quality", "O"},
      {"/rows/finish", "C"},
      {"/rows/finish", "CX"},
      {"/rows/generated_tokens", Json::object()},
      {"/rows/generated_tokens", Json::array({5})},
      {"/rows/generated_tokens/1", "6"},
      {"/rows/token_digests", Json::array({"aa"})},
      {"/rows/token_digests/1", 7},
      {"/rows/refusal_log_odds", Json::array({0.5})},
      {"/rows/refusal_log_odds/0", "0.5"},
      {"/rows/kl", Json::array({0.25, 1.25, 2.25})},
      {"/rows/kl/1", nullptr},
      {"/receipt", 7},
      {"/receipt/mean_relative_dose", "x"},
      {"/stage", "other"},
      {"/prompts", "both"},
      {"/edit", "reflect"},
      {"/scores", 1},
  };
  for (const auto& [pointer, value] : changes) {
    Record broken = record;
    broken.payload[Json::json_pointer(pointer)] = value;
    const absl::Status status = ParseCell(broken).status();
    EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED") << pointer << " " << value;
    EXPECT_NE(status.message().find(record.key), absl::string_view::npos) << status;
  }
}

TEST(RecordFields, SelectionsAndFailuresMissNothing) {
  const Record selection = ToRecord(SelectionRecord{"d", 0, true, 1, {1, 2}});
  const Record failure =
      ToRecord(FailureRecord{"d", "seed-0/selected", 1, "INTERNAL", "R", "n"}, Json::object());
  EXPECT_EQ(ParseSelection(selection)->tied, (std::vector<int>{1, 2}));
  EXPECT_EQ(ParseFailure(failure)->code, "INTERNAL");
  for (const Record& record : {selection, failure}) {
    for (auto it = record.payload.begin(); it != record.payload.end(); ++it) {
      if (it.key() == "kind") continue;
      Record broken = record;
      broken.payload.erase(it.key());
      const absl::Status status = KindOf(record) == "selection" ? ParseSelection(broken).status()
                                                                : ParseFailure(broken).status();
      EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED") << it.key();
    }
  }
}

TEST(RecordFields, AKindIsAWordOrNone) {
  EXPECT_EQ(KindOf({"k", {{"kind", "cell"}}}), "cell");
  EXPECT_EQ(KindOf({"k", {{"kind", 5}}}), "");
  EXPECT_EQ(KindOf({"k", {{"other", "cell"}}}), "");
  EXPECT_EQ(KindOf({"k", Json::object()}), "");
}

// A payload that is no object at all is damage too.
TEST(RecordFields, APayloadIsAnObject) {
  const Record record = {"k", Json::array({1})};
  EXPECT_EQ(ReasonOf(ParseFit(record).status()), "LOG_DAMAGED");
  EXPECT_EQ(ReasonOf(ParseCell(record).status()), "LOG_DAMAGED");
  EXPECT_EQ(ReasonOf(ParseSelection(record).status()), "LOG_DAMAGED");
  EXPECT_EQ(ReasonOf(ParseFailure(record).status()), "LOG_DAMAGED");
  EXPECT_EQ(ReasonOf(ParseRestart(record).status()), "LOG_DAMAGED");
}

TEST(RecordFields, RecordsAreEqualInEveryPart) {
  FitRecord fit = MadeFit();
  fit.reports[1].auc = 0.8;
  EXPECT_NE(fit, MadeFit());
  CellRecord cell = MadeCell();
  cell.rows[1].kl = 0;
  EXPECT_NE(cell, MadeCell());
  cell = MadeCell();
  cell.receipt.edits = 1;
  EXPECT_NE(cell, MadeCell());
  cell = MadeCell();
  cell.layer = 4;
  EXPECT_NE(cell, MadeCell());
  const SelectionRecord selection = {"d", 0, true, 1, {1, 2}};
  EXPECT_NE(selection, (SelectionRecord{"d", 0, true, 1, {1, 3}}));
  EXPECT_NE(selection, (SelectionRecord{"e", 0, true, 1, {1, 2}}));
  const RestartRecord restart = {"d", 3, 1, "b", 2};
  EXPECT_NE(restart, (RestartRecord{"d", 3, 1, "b", 3}));
  EXPECT_NE(restart, (RestartRecord{"d", 4, 1, "b", 2}));
  const FailureRecord failure = {"d", "k", 1, "INTERNAL", "R", "n"};
  EXPECT_NE(failure, (FailureRecord{"d", "k", 1, "INTERNAL", "R", "m"}));
  EXPECT_NE(failure, (FailureRecord{"d", "l", 1, "INTERNAL", "R", "n"}));
}

TEST(RunFolderNames, OnlyADigestNamesASet) {
  EXPECT_EQ(SetEntryKind(std::string(64, 'a') + ".safetensors"), FolderEntry::kOfRun);
  EXPECT_EQ(SetEntryKind("mine.safetensors"), FolderEntry::kOther);
  EXPECT_EQ(SetEntryKind(std::string(64, 'a')), FolderEntry::kOther);
  EXPECT_EQ(SetEntryKind(std::string(64, 'a') + ".safetensors.tmp.7.0"), FolderEntry::kLeftover);
}

}  // namespace
}  // namespace steer
