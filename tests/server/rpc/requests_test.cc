// GetModel and Tokenize, and what every call does with errors.
#include "common/prompt_form.h"
#include "server/rpc/translate.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class RequestsTest : public ServiceFixture {};

TEST_F(RequestsTest, GetModelSaysWhatIsLoaded) {
  grpc::ClientContext context;
  v1::GetModelResponse model;
  const grpc::Status status = stub_->GetModel(&context, {}, &model);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(model.name(), "fake");
  EXPECT_EQ(model.family(), "llama");
  EXPECT_EQ(model.layers(), 2);
  EXPECT_EQ(model.hidden(), 4);
  EXPECT_EQ(model.vocabulary(), 260);
  EXPECT_EQ(model.parameters(), 4242);
  EXPECT_EQ(model.model_fingerprint(), kFakeModel);
  EXPECT_EQ(model.numeric_fingerprint(), kFakeNumerics);
  EXPECT_EQ(model.numeric_facts().at("threads"), "1");
  ASSERT_EQ(model.end_of_turn_size(), 2);
  EXPECT_EQ(model.end_of_turn(1).id(), 3);
  EXPECT_EQ(model.end_of_turn(1).piece(), "piece3");
  EXPECT_EQ(model.refusal_tokens(0).id(), 77);
  ASSERT_EQ(model.readouts_size(), 2);
  EXPECT_EQ(model.readouts(0).name(), "post-1");
  EXPECT_EQ(model.readouts(0).phrases_size(), 25);
  EXPECT_EQ(model.suggested_repetition_penalty(), 1.1);
  EXPECT_EQ(model.limits().max_prompts(), 8);
  EXPECT_EQ(model.limits().max_rows(), 16);
  EXPECT_EQ(model.limits().max_request_bytes(), 16 << 20);
  EXPECT_EQ(model.limits().max_concurrent_calls(), 64);
  EXPECT_EQ(model.limits().max_directions(), 10000);
  EXPECT_EQ(std::vector<std::string>(model.features().begin(), model.features().end()),
            (std::vector<std::string>{"states", "import"}));
  EXPECT_EQ(model.version(), "1.2.3-test");
  EXPECT_EQ(model.contract_version(), "steer.v1/1");
  EXPECT_EQ(model.decode_rows(), 6);
  EXPECT_EQ(model.prefill_tokens(), 48);
  EXPECT_EQ(model.control_families(0), "isotropic");
  EXPECT_EQ(model.memory().weights_bytes(), 1000);
  EXPECT_EQ(model.memory().kv_arena_bytes(), 200);
  EXPECT_EQ(model.memory().work_bytes(), 30);
  EXPECT_EQ(model.memory().limit_bytes(), 4000);
  EXPECT_EQ(model.memory().kv_tokens(), 400);
}

TEST_F(RequestsTest, AServerThatIsToldNoVersionSaysItsBuilds) {
  RpcServerOptions options = Defaults();
  options.service.version = "";
  Restart(options);
  grpc::ClientContext context;
  v1::GetModelResponse model;
  ASSERT_TRUE(stub_->GetModel(&context, {}, &model).ok());
  EXPECT_NE(model.version(), "");
  EXPECT_EQ(model.version().find_first_not_of("0123456789."), std::string::npos) << model.version();
}

TEST_F(RequestsTest, Tokenize) {
  v1::TokenizeRequest request;
  request.add_prompts()->set_user("Ab");
  request.set_pieces(true);
  grpc::ClientContext context;
  v1::TokenizeResponse response;
  ASSERT_TRUE(stub_->Tokenize(&context, request, &response).ok());
  ASSERT_EQ(response.prompts_size(), 1);
  const v1::TokenizedPrompt& prompt = response.prompts(0);
  EXPECT_EQ(std::vector<int32_t>(prompt.ids().begin(), prompt.ids().end()),
            (std::vector<int32_t>{0, 1, 4 + 'A', 4 + 'b'}));
  EXPECT_EQ(prompt.tokens(2).piece(), "piece69");
  EXPECT_EQ(prompt.prompt_hash(), *PromptHash("ab"));
}

TEST_F(RequestsTest, EveryViolationOfBothHalvesIsReported) {
  v1::TokenizeRequest request;
  request.add_prompts();
  request.add_prompts()->set_user(std::string(199, 'x'));
  request.add_prompts()->set_user("fine");
  request.add_prompts()->set_user("no place");
  request.mutable_prompts(3)->set_system("be brief");
  grpc::ClientContext context;
  v1::TokenizeResponse response;
  const grpc::Status status = stub_->Tokenize(&context, request, &response);
  const RpcError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "INVALID_REQUEST");
  EXPECT_EQ(error.domain, "steer");
  EXPECT_EQ(FieldsOf(status), "prompts[0].user prompts[1].user prompts[3]");
}

TEST_F(RequestsTest, TextThatIsNotUtf8DoesNotHurtTheServer) {
  v1::TokenizeRequest request;
  request.add_prompts()->set_user("\xff\xfe");
  grpc::ClientContext context;
  v1::TokenizeResponse response;
  EXPECT_FALSE(stub_->Tokenize(&context, request, &response).ok());
  grpc::ClientContext again;
  v1::GetModelResponse model;
  EXPECT_TRUE(stub_->GetModel(&again, {}, &model).ok());
}

TEST(FromProtoTest, ScopesAndTargetsAreTheContracts) {
  const std::pair<v1::TokenScope, TokenScope> scopes[] = {
      {v1::TOKEN_SCOPE_UNSPECIFIED, TokenScope::kAll},
      {v1::TOKEN_SCOPE_ALL, TokenScope::kAll},
      {v1::TOKEN_SCOPE_PROMPT, TokenScope::kPrompt},
      {v1::TOKEN_SCOPE_GENERATED, TokenScope::kGenerated},
      {v1::TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED, TokenScope::kLastPromptAndGenerated}};
  const std::pair<v1::EditTarget, EditTarget> targets[] = {
      {v1::EDIT_TARGET_UNSPECIFIED, EditTarget::kDefault},
      {v1::EDIT_TARGET_STREAM, EditTarget::kStream},
      {v1::EDIT_TARGET_WRITE, EditTarget::kWrite}};
  v1::Intervention intervention = AblateWith(std::string(64, 'a'));
  v1::Op* op = intervention.mutable_ops(0);
  for (const auto& [sent, meant] : scopes) {
    op->set_tokens(sent);
    EXPECT_EQ(FromProto(intervention).ops.at(0).scope, meant) << v1::TokenScope_Name(sent);
  }
  for (const auto& [sent, meant] : targets) {
    op->set_target(sent);
    EXPECT_EQ(FromProto(intervention).ops.at(0).target, meant) << v1::EditTarget_Name(sent);
  }
}

}  // namespace
}  // namespace steer
