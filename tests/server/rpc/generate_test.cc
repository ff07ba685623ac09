#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class GenerateTest : public ServiceFixture {
 protected:
  static std::string TextOf(const std::vector<v1::GenerateResponse>& messages) {
    std::string text;
    for (const v1::GenerateResponse& m : messages) text += m.text();
    return text;
  }
};

TEST_F(GenerateTest, StreamsTextThenTheResult) {
  v1::GenerateRequest request = GenerateRequestOf("hello");
  request.mutable_decoding()->set_temperature(0.5);
  request.mutable_decoding()->set_seed(9);
  request.mutable_decoding()->set_repetition_penalty(1.25);
  grpc::Status status;
  const auto messages = Generate(request, &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_GE(messages.size(), 2u);
  EXPECT_EQ(TextOf(messages), "zqxcompletion0 zqxcompletion1 zqxcompletion2 ");
  const v1::GenerateResult& result = messages.back().result();
  EXPECT_EQ(result.finish_reason(), v1::FINISH_REASON_END_OF_TURN);
  EXPECT_EQ(result.prompt_tokens(), 7);
  EXPECT_EQ(result.generated_tokens(), 3);
  EXPECT_FALSE(result.text_withheld());
  EXPECT_EQ(result.token_digest().size(), 64u);
  EXPECT_EQ(result.receipt().model_fingerprint(), kFakeModel);
  EXPECT_EQ(result.receipt().decode_rows(), 6);
  const GenerateJob job = engine_->TakeLastGenerate();
  EXPECT_EQ(job.decode.temperature, 0.5);
  EXPECT_EQ(job.decode.top_p, 1);
  EXPECT_EQ(job.decode.seed, 9u);
  EXPECT_EQ(job.decode.repetition_penalty, 1.25);
  EXPECT_EQ(job.decode.max_new_tokens, 8);
  EXPECT_EQ(job.intervention, nullptr);
}

TEST_F(GenerateTest, WithholdsTextOfEditedRows) {
  v1::GenerateRequest request = GenerateRequestOf("hello");
  *request.mutable_intervention() = AblateWith(PutSet('a'));
  grpc::Status status;
  const auto messages = Generate(request, &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_TRUE(messages[0].result().text_withheld());
  EXPECT_EQ(messages[0].result().generated_tokens(), 3);
  EXPECT_EQ(messages[0].result().receipt().mean_relative_dose(), 0.5);
  EXPECT_NE(engine_->TakeLastGenerate().intervention, nullptr);
}

TEST_F(GenerateTest, SendsTextOfEditedRowsIfStartedSo) {
  RpcServerOptions options = Defaults();
  options.service.allow_edited_text = true;
  Restart(options);
  v1::GenerateRequest request = GenerateRequestOf("hello");
  *request.mutable_intervention() = AddWith(PutSet('a'));
  grpc::Status status;
  const auto messages = Generate(request, &status);
  ASSERT_TRUE(status.ok());
  EXPECT_NE(TextOf(messages), "");
  EXPECT_FALSE(messages.back().result().text_withheld());
  grpc::ClientContext context;
  v1::GetModelResponse model;
  ASSERT_TRUE(stub_->GetModel(&context, {}, &model).ok());
  EXPECT_EQ(model.features(0), "allow-edited-text");
}

TEST_F(GenerateTest, ValidateOnlyAnswersTheCostAndRunsNothing) {
  v1::GenerateRequest request = GenerateRequestOf("hello");
  request.set_validate_only(true);
  grpc::Status status;
  const auto messages = Generate(request, &status);
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].cost().rows(), 1);
  EXPECT_EQ(messages[0].cost().prompt_tokens(), 7);
  EXPECT_EQ(messages[0].cost().max_generated_tokens(), 8);
  EXPECT_EQ(messages[0].cost().kv_bytes(), 1000);
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

TEST_F(GenerateTest, PromptAndWindowMustFitTheContext) {
  v1::GenerateRequest request = GenerateRequestOf(std::string(190, 'x'));
  grpc::Status status;
  Generate(request, &status);
  EXPECT_TRUE(status.ok());  // 2 + 190 + 8 = 200
  request.mutable_decoding()->set_max_new_tokens(9);
  Generate(request, &status);
  EXPECT_EQ(FieldsOf(status), "prompt.user");
}

TEST_F(GenerateTest, RefusesAnotherModelAndMissingOrUnusableDirections) {
  v1::GenerateRequest request = GenerateRequestOf("hello");
  request.set_expected_model_fingerprint("another");
  grpc::Status status;
  Generate(request, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH");

  request = GenerateRequestOf("hello");
  *request.mutable_intervention() = AblateWith(std::string(64, 'f'));
  Generate(request, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::NOT_FOUND);

  *request.mutable_intervention() = AddWith(PutSet('a'), /*control=*/true);
  request.mutable_intervention()->mutable_ops(0)->mutable_add()->mutable_direction()->set_layer(0);
  Generate(request, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(status).reason, "DIRECTION_UNUSABLE");
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

TEST_F(GenerateTest, ViolationsOfTheCompilerCarryTheirPath) {
  v1::GenerateRequest request = GenerateRequestOf("");
  *request.mutable_intervention() = AblateWith(PutSet('a'));
  v1::Op* op = request.mutable_intervention()->mutable_ops(0);
  op->mutable_ablate()->set_fraction(0.5);
  op->set_target(v1::EDIT_TARGET_STREAM);  // compounds over all sites
  grpc::Status status;
  Generate(request, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::INVALID_ARGUMENT);
  EXPECT_NE(FieldsOf(status).find("prompt.user intervention.ops[0]"), std::string::npos)
      << FieldsOf(status);
}

}  // namespace
}  // namespace steer
