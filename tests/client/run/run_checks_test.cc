// The checks of a run, one by one: which errors end it, outcomes, receipts, fitted sets, the choice of the layer.
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/run/cell_sink.h"
#include "client/run/fit_check.h"
#include "client/run/receipt_check.h"
#include "client/run/seed_run.h"
#include "common/errors.h"
#include "tests/client/run/run_fixture.h"

namespace steer {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(RunErrors, SomeEndTheRunAndSomeMayPass) {
  const auto with = [](absl::StatusCode code, const char* reason) {
    return MakeError(code, reason, "x");
  };
  using Code = absl::StatusCode;
  const struct {
    absl::Status status;
    bool stops, may_pass;
  } cases[] = {
      {absl::OkStatus(), false, false},
      {absl::CancelledError("x"), true, false},
      {absl::UnauthenticatedError("x"), true, false},
      {absl::PermissionDeniedError("x"), true, false},
      {absl::UnavailableError("x"), true, true},
      {absl::ResourceExhaustedError("x"), false, false},
      {WithRetryDelay(absl::ResourceExhaustedError("x"), absl::Seconds(1)), true, true},
      {absl::InvalidArgumentError("x"), false, false},
      {absl::InternalError("x"), false, true},
      {absl::UnknownError("x"), false, true},
      {absl::AbortedError("x"), false, true},
      {absl::DataLossError("x"), false, true},
      {absl::DeadlineExceededError("x"), false, true},
      {with(Code::kInternal, kWrongReceipt), false, false},
      {with(Code::kInternal, "EDIT_COUNT_MISMATCH"), false, false},
      {with(Code::kInternal, "CAPTURE_COUNT_MISMATCH"), false, false},
      {with(Code::kInternal, "DIRECTION_DIGEST_MISMATCH"), false, false},
      {with(Code::kInternal, kDiskReason), true, true},
      {with(Code::kDataLoss, "CELL_CONFLICT"), true, true},
      {with(Code::kDataLoss, "LOG_DAMAGED"), true, true},
      {with(Code::kFailedPrecondition, "MODEL_MISMATCH"), true, false},
      {with(Code::kFailedPrecondition, "NUMERICS_MISMATCH"), true, false},
      {with(Code::kFailedPrecondition, kNumericsChanged), true, false},
      {with(Code::kFailedPrecondition, "LOCK_SERVER_MISMATCH"), true, false},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(StopsTheRun(one.status), one.stops) << one.status << ReasonOf(one.status);
    EXPECT_EQ(MayPass(one.status), one.may_pass) << one.status << ReasonOf(one.status);
  }
}

TEST(Receipts, LimitsAreThoseOfTheNumericType) {
  v1::Receipt receipt;
  ExpectedReceipt expected;
  expected.edit = EditKind::kAblate;
  expected.layers = 2;
  expected.rows = 3;
  expected.direction_digest = "direction";
  expected.content_digest = "content";
  receipt.set_rows(3);
  receipt.set_steps(1);
  receipt.set_tokens(10);
  receipt.set_sites(5);
  receipt.set_edits(50);
  receipt.set_expected_edits(50);
  receipt.add_direction_digests("direction");
  receipt.add_content_digests("content");
  receipt.set_mean_relative_dose(0.1);
  const struct {
    bool float32;
    double left;
    bool good;
  } cases[] = {{true, 1e-5, true},   {true, 2e-5, false},  {false, 1.0 / 256, true},
               {false, 0.01, false}, {true, -1e-9, false}, {true, kNan, false}};
  for (const auto& one : cases) {
    expected.float32 = one.float32;
    receipt.set_largest_residual_projection(one.left);
    const absl::Status status = CheckReceipt(receipt, expected);
    EXPECT_EQ(status.ok(), one.good) << one.left << status;
    EXPECT_EQ(ReasonOf(status), one.good ? "" : kWrongReceipt);
  }
  receipt.set_largest_residual_projection(0);
  receipt.add_direction_digests("another");
  EXPECT_TRUE(absl::StrContains(CheckReceipt(receipt, expected).message(),
                                "direction_digests is 2 digests, must be direction"));
}

class RunChecks : public RunFixture {
 protected:
  void SetUp() override {
    RunFixture::SetUp();
    service_.behaviour.edit_set = [this](v1::DirectionSet* set) { set_ = *set; };
    ASSERT_TRUE(Run().ok());
    prompts_ = *LoadLockedPrompts(*lock_, folder_.path());
    model_ = *MakeClient()->GetModel();
  }
  FitRecord Fit() const { return *ParseFit(*log_->Find(FitKey(0, model_.numeric_fingerprint()))); }
  // Another log with these records.
  std::unique_ptr<ResultLog> LogOf(const std::vector<Record>& records) {
    auto log = *ResultLog::Open(folder_ / absl::StrCat("log-", logs_++, ".jsonl"));
    for (const Record& record : records) EXPECT_TRUE(log->Append(record).ok()) << record.key;
    return log;
  }
  v1::DirectionSet set_;  // of the last fit
  std::vector<SeedSplits> prompts_;
  v1::GetModelResponse model_;
  int logs_ = 0;
};

TEST_F(RunChecks, AnOutcomeSaysWhatItMustAndNothingImpossible) {
  const CellContext context{*lock_, prompts_[0], model_, Stage::kTest, "", ""};
  const std::vector<Cell> cells = {{lock_->arms[0], -1, ""}, {lock_->arms[1], 3, "digest"}};
  ASSERT_EQ(cells[0].arm.edit, EditKind::kNone);
  ASSERT_EQ(cells[1].arm.edit, EditKind::kAblate);
  CellSink sink(context, cells, options_, log_.get(), &observer_);
  v1::Outcome good;
  good.set_prompt_hash(prompts_[0].harmful.test[0].hash);
  good.set_refused(v1::REFUSED_YES);
  good.set_quality(v1::QUALITY_OK);
  good.set_finish_reason(v1::FINISH_REASON_CERTAIN);
  good.set_generated_tokens(16);
  good.set_token_digest(std::string(64, 'a'));
  EXPECT_TRUE(sink.OnOutcome(good).ok()) << sink.OnOutcome(good);
  const struct {
    void (*edit)(v1::Outcome*);
    const char* message;
  } cases[] = {
      {[](v1::Outcome* o) { o->set_prompt_hash("x"); }, "is of another prompt than the one sent"},
      {[](v1::Outcome* o) { o->set_refused(v1::REFUSED_UNSPECIFIED); },
       "does not say whether it refuses"},
      {[](v1::Outcome* o) { o->set_quality(v1::QUALITY_NOT_JUDGED); }, "has no quality"},
      {[](v1::Outcome* o) { o->set_finish_reason(v1::FINISH_REASON_UNSPECIFIED); },
       "is not finished"},
      {[](v1::Outcome* o) { o->set_generated_tokens(-1); }, "has more tokens than its window"},
      {[](v1::Outcome* o) { o->set_generated_tokens(17); }, "has more tokens than its window"},
      {[](v1::Outcome* o) { o->set_refusal_log_odds(kNan); }, "has a score that is not a finite"},
      {[](v1::Outcome* o) { o->set_kl(kNan); }, "has a score that is not a finite"},
      {[](v1::Outcome* o) { o->set_kl(-1); }, "has a score that is not a finite"},
      {[](v1::Outcome* o) { o->set_kl(0.5); }, "is of an unedited row and has a KL"},
      {[](v1::Outcome* o) { o->set_token_digest("x"); }, "has no token digest"},
  };
  for (const auto& one : cases) {
    v1::Outcome bad = good;
    one.edit(&bad);
    const absl::Status status = sink.OnOutcome(bad);
    EXPECT_EQ(ReasonOf(status), "PROTOCOL") << one.message;
    EXPECT_TRUE(absl::StartsWith(status.message(), "an outcome of arm baseline/harmful "))
        << status;
    EXPECT_TRUE(absl::StrContains(status.message(), one.message)) << status;
  }
  v1::Outcome edited = good;
  edited.set_arm(1);
  edited.set_kl(0.5);
  EXPECT_TRUE(sink.OnOutcome(edited).ok()) << sink.OnOutcome(edited);
}

TEST_F(RunChecks, AFittedSetIsTheOneAskedFor) {
  ASSERT_TRUE(CheckFittedSet(set_, *lock_, prompts_[1], model_).ok())
      << CheckFittedSet(set_, *lock_, prompts_[1], model_);
  const struct {
    void (*edit)(v1::DirectionSet*);
    const char* what;
  } cases[] = {
      {[](v1::DirectionSet* s) { s->set_model_fingerprint("x"); },
       "model_fingerprint is x, locked"},
      {[](v1::DirectionSet* s) { s->set_set_id("x"); }, ": set_id"},
      {[](v1::DirectionSet* s) { s->set_content_digest("x"); }, ": content_digest"},
      {[](v1::DirectionSet* s) { s->set_positions(0, -2); }, ": positions"},
      {[](v1::DirectionSet* s) { s->set_layers(5); }, ": layers"},
      {[](v1::DirectionSet* s) { s->set_harmful_prompts(7); }, ": harmful_prompts"},
      {[](v1::DirectionSet* s) { s->set_harmless_prompts(7); }, ": harmless_prompts"},
      {[](v1::DirectionSet* s) { s->mutable_reports()->RemoveLast(); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_position(-2); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_layer(3); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_norm(kNan); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_projection_gap(kNan); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_auc(kNan); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_largest_coordinate_share(kNan); },
       ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_mean_state_norm(kNan); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_mean_cosine(kNan); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_norm(-1); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_norm(0); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_auc(-0.1); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_auc(1.1); }, ": reports"},
      {[](v1::DirectionSet* s) { s->mutable_reports(2)->set_direction_digest("x"); }, ": reports"},
  };
  for (const auto& one : cases) {
    v1::DirectionSet bad = set_;
    one.edit(&bad);
    const absl::Status status = CheckFittedSet(bad, *lock_, prompts_[1], model_);
    EXPECT_EQ(ReasonOf(status), "WRONG_SET") << one.what;
    EXPECT_TRUE(absl::StrContains(status.message(), one.what)) << status;
  }
  model_.set_numeric_fingerprint(std::string(64, 'c'));
  EXPECT_EQ(ReasonOf(CheckFittedSet(set_, *lock_, prompts_[1], model_)), kNumericsChanged);
}

TEST_F(RunChecks, ALayerWithoutAReportIsNotChosen) {
  FitRecord fit = Fit();
  ASSERT_EQ((*ChooseLayer(*lock_, fit, *log_))->layer, 3);
  EXPECT_EQ(UsableSelectionArms(*lock_, fit).size(), 12u);
  fit.reports.clear();
  EXPECT_EQ(UsableSelectionArms(*lock_, fit).size(), 2u) << "the baselines";
  const auto chosen = ChooseLayer(*lock_, fit, *log_);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_FALSE((*chosen)->chosen);
}

TEST_F(RunChecks, ACellOfFewerPromptsIsNotComparedWithTheOthers) {
  std::vector<Record> records;
  for (const Record& record : log_->records()) {
    records.push_back(record);
    if (record.key != CellKey(0, Stage::kSelection, "layer-2/add/harmless")) continue;
    CellRecord cell = *ParseCell(record);
    cell.rows.pop_back();
    records.back() = ToRecord(cell, Json::object());
  }
  const absl::Status status = ChooseLayer(*lock_, Fit(), *LogOf(records)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "layer 2: other validation prompts")) << status;
}

TEST_F(RunChecks, ARecordCountsForTheSeedThatItNames) {
  const Record cell = *log_->Find(CellKey(1, Stage::kTest, "ablate/harmful"));
  const Record fit = *log_->Find(FitKey(1, model_.numeric_fingerprint()));
  const auto log = LogOf({{"seed-0/test/other", cell.payload}, {"seed-0/fit/other", fit.payload}});
  EXPECT_EQ(*MeasuredNumerics(*log, 0), "");
  EXPECT_FALSE((*FindFit(*log, 0)).has_value());
  EXPECT_TRUE(CheckSeedNumerics(*log, 0, "any").ok());
  const auto damaged = LogOf({{"seed-0/test/x", {{"kind", "cell"}}}});
  EXPECT_EQ(ReasonOf(CheckSeedNumerics(*damaged, 0, "any")), "LOG_DAMAGED");
}

TEST_F(RunChecks, FailuresAreNumberedAndALogThatTakesNoneIsAnError) {
  const absl::Status why = MakeError(absl::StatusCode::kInternal, kWrongReceipt, "our words");
  const auto log = LogOf({});
  ASSERT_TRUE(LogFailure("seed-0/test/x", "d", why, log.get(), &observer_).ok());
  ASSERT_TRUE(
      LogFailure("seed-0/test/x", "d", absl::InternalError("theirs"), log.get(), &observer_).ok());
  ASSERT_EQ(observer_.failures.size(), 2u);
  EXPECT_EQ(ParseFailure(*log->Find("seed-0/test/x/failure-1"))->note, "our words");
  EXPECT_EQ(ParseFailure(*log->Find("seed-0/test/x/failure-2"))->note, "");
  EXPECT_EQ(observer_.failures[1].number, 2);
  const auto read_only = ResultLog::ReadOnly(LogContents());
  EXPECT_FALSE(LogFailure("seed-0/test/x", "d", why, read_only.get(), &observer_).ok());
  EXPECT_EQ(observer_.failures.size(), 2u);
}

}  // namespace
}  // namespace steer
