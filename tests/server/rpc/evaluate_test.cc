#include "common/prompt_form.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class EvaluateTest : public ServiceFixture {};

TEST_F(EvaluateTest, OutcomesThenArmResultsThenTheSummary) {
  v1::EvaluateRequest request = EvaluateRequestOf(3);
  request.set_expected_numeric_fingerprint(kFakeNumerics);
  v1::Arm* arm = request.add_arms();
  arm->set_name("ablate");
  arm->add_prompts(1);
  *arm->mutable_intervention() = AblateWith(PutSet('a'));
  request.set_judge_quality(true);
  request.set_scores(true);
  request.set_decode_full_window(true);
  grpc::Status status;
  const auto messages = Evaluate(request, &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  std::vector<v1::Outcome> outcomes;
  std::string order;
  for (const v1::EvaluateResponse& m : messages) {
    if (m.has_outcome()) outcomes.push_back(m.outcome()), order += 'o';
    if (m.has_arm_result()) order += 'a';
    if (m.has_summary()) order += 's';
  }
  EXPECT_EQ(order, "oooaoas");
  ASSERT_EQ(outcomes.size(), 4u);
  for (int i = 0; i < 4; ++i) {
    const v1::Outcome& o = outcomes[i];
    EXPECT_EQ(o.sequence(), i);
    EXPECT_EQ(o.prompt_hash(), *PromptHash(absl::StrCat("prompt ", o.prompt())));
    EXPECT_EQ(o.refused(), o.prompt() % 2 == 1 ? v1::REFUSED_YES : v1::REFUSED_NO);
    EXPECT_EQ(o.quality(), o.prompt() == 2 ? v1::QUALITY_DEGENERATE : v1::QUALITY_OK);
    EXPECT_EQ(o.refusal_log_odds(), -1.5);
    EXPECT_EQ(o.kl(), 0.25);
    EXPECT_EQ(o.generated_tokens(), 7);
    EXPECT_EQ(o.finish_reason(), v1::FINISH_REASON_CERTAIN);
  }
  EXPECT_EQ(outcomes[3].arm(), 1);
  EXPECT_EQ(messages.back().summary().outcomes(), 4);
  EXPECT_EQ(messages.back().summary().receipt().rows(), 4);
  EXPECT_EQ(messages.back().summary().receipt().numeric_fingerprint(), kFakeNumerics);
  const EvaluateJob job = engine_->TakeLastEvaluate();
  EXPECT_EQ(job.readout->name(), "post-1");
  EXPECT_TRUE(job.judge_quality && job.scores && job.decode_full_window);
  EXPECT_EQ(job.refusal_token_ids, (std::vector<int32_t>{44, 77}));  // the model's, sorted
  EXPECT_EQ(job.arms[0].intervention, nullptr);
  EXPECT_NE(job.arms[1].intervention, nullptr);
}

TEST_F(EvaluateTest, QualityThatIsNotAskedForIsNotJudged) {
  grpc::Status status;
  for (const v1::EvaluateResponse& m : Evaluate(EvaluateRequestOf(3), &status)) {
    EXPECT_TRUE(!m.has_outcome() || m.outcome().quality() == v1::QUALITY_NOT_JUDGED);
  }
  EXPECT_TRUE(status.ok());
}

TEST_F(EvaluateTest, ProgressIsAtMostOneASecond) {
  grpc::Status status;
  int progress = 0;
  const absl::Time start = absl::Now();
  for (const auto& m : Evaluate(EvaluateRequestOf(8), &status)) progress += m.has_progress();
  EXPECT_GE(progress, 1);
  EXPECT_LE(progress, 1 + absl::ToInt64Seconds(absl::Now() - start));
}

TEST_F(EvaluateTest, HeldRowsAreLeftOut) {
  v1::EvaluateRequest request = EvaluateRequestOf(3);
  for (const int prompt : {0, 2}) request.add_held()->set_prompt(prompt);
  request.add_refusal_token_ids(9);
  request.add_refusal_token_ids(5);
  grpc::Status status;
  std::vector<int> prompts;
  for (const auto& m : Evaluate(request, &status)) {
    if (m.has_outcome()) prompts.push_back(m.outcome().prompt());
  }
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(prompts, std::vector<int>{1});
  EXPECT_EQ(engine_->TakeLastEvaluate().refusal_token_ids, (std::vector<int32_t>{5, 9}));
  request.add_held()->set_prompt(1);
  const auto messages = Evaluate(request, &status);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(messages.back().summary().outcomes(), 0);
}

TEST_F(EvaluateTest, ValidateOnlyAnswersTheCost) {
  v1::EvaluateRequest request = EvaluateRequestOf(3);
  request.set_validate_only(true);
  grpc::Status status;
  const auto messages = Evaluate(request, &status);
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].cost().rows(), 3);
  EXPECT_EQ(messages[0].cost().max_generated_tokens(), 24);
  EXPECT_EQ(messages[0].cost().estimated_seconds(), 1.5);
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

TEST_F(EvaluateTest, FingerprintsMustMatch) {
  v1::EvaluateRequest request = EvaluateRequestOf(1);
  request.set_expected_numeric_fingerprint("another");
  grpc::Status status;
  Evaluate(request, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(status).reason, "NUMERICS_MISMATCH");
  EXPECT_NE(
      ErrorOf(status).message.find(absl::StrCat(kFakeNumerics, ", the request expects another;")),
      std::string::npos);
  request.set_expected_model_fingerprint("another");
  Evaluate(request, &status);
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH");
  EXPECT_NE(ErrorOf(status).message.find(absl::StrCat("fake has fingerprint ", kFakeModel,
                                                      ", the request expects another;")),
            std::string::npos);
}

TEST_F(EvaluateTest, ViolationsComeBeforeMissingSets) {
  v1::EvaluateRequest request = EvaluateRequestOf(2);
  *request.mutable_arms(0)->mutable_intervention() = AblateWith(std::string(64, 'e'));
  grpc::Status status;
  Evaluate(request, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::NOT_FOUND);
  EXPECT_NE(ErrorOf(status).message.find("arms[0].intervention"), std::string::npos);
  request.mutable_prompts(1)->set_user(std::string(300, 'x'));
  Evaluate(request, &status);
  EXPECT_EQ(FieldsOf(status), "prompts[1].user");
}

TEST_F(EvaluateTest, TheEnginesErrorEndsTheCallAfterItsOutcomes) {
  engine_->FailWith(MakeError(absl::StatusCode::kInternal, "EDIT_COUNT_MISMATCH", "7 of 8 edits"));
  grpc::Status status;
  Evaluate(EvaluateRequestOf(1), &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::INTERNAL);
  EXPECT_EQ(ErrorOf(status).reason, "EDIT_COUNT_MISMATCH");
  EXPECT_EQ(ErrorOf(status).message, "7 of 8 edits");
}

}  // namespace
}  // namespace steer
