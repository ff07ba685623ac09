// The server keeps the split (design.md section 1), with the real store.
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class SplitTest : public ServiceFixture {
 protected:
  v1::EvaluateRequest Request(v1::Purpose purpose, const std::string& user,
                              const std::string& set_id, bool control) {
    v1::EvaluateRequest request = EvaluateRequestOf(1);
    request.set_request_id(FreshUuid());
    request.set_purpose(purpose);
    request.mutable_prompts(0)->set_user(user);
    *request.mutable_arms(0)->mutable_intervention() = AblateWith(set_id, control);
    return request;
  }
  RpcError Run(const v1::EvaluateRequest& request) {
    grpc::Status status;
    Evaluate(request, &status);
    return ErrorOf(status);
  }
};

TEST_F(SplitTest, TestOnAFittedPromptIsRefusedForTheSetAndItsControls) {
  const std::string id = PutSet('a');
  for (const bool control : {false, true}) {
    // Another spelling of the same prompt.
    const RpcError error = Run(Request(v1::PURPOSE_TEST, "  FITTED 1", id, control));
    EXPECT_EQ(error.code, grpc::FAILED_PRECONDITION);
    EXPECT_EQ(error.reason, "PROMPT_WAS_FITTED_OR_SELECTED_ON");
    EXPECT_EQ(error.message.find("FITTED 1"), std::string::npos);
    EXPECT_EQ(Run(Request(v1::PURPOSE_TEST, "fresh", id, control)).code, grpc::OK);
  }
  EXPECT_EQ(engine_->jobs_submitted(), 2);
}

TEST_F(SplitTest, SelectIsRememberedByEverySetNamedAlsoThroughAControl) {
  const std::string a = PutSet('a');
  const std::string b = PutSet('b');
  const std::string c = PutSet('c');
  v1::EvaluateRequest request = Request(v1::PURPOSE_SELECT, "chosen on", a, false);
  v1::Arm* arm = request.add_arms();
  arm->set_name("control");
  arm->add_prompts(0);
  *arm->mutable_intervention() = AddWith(b, /*control=*/true);
  EXPECT_EQ(Run(request).code, grpc::OK);
  for (const std::string& id : {a, b}) {
    EXPECT_EQ(store_->Get(id)->selected_prompts, 1);
    EXPECT_EQ(Run(Request(v1::PURPOSE_TEST, "chosen on", id, false)).reason,
              "PROMPT_WAS_FITTED_OR_SELECTED_ON");
  }
  EXPECT_EQ(Run(Request(v1::PURPOSE_TEST, "chosen on", c, false)).code, grpc::OK);
}

TEST_F(SplitTest, SelectIsRecordedBeforeARowRuns) {
  const std::string id = PutSet('a');
  engine_->Block(true);
  grpc::ClientContext context;
  auto reader = stub_->Evaluate(&context, Request(v1::PURPOSE_SELECT, "chosen on", id, false));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  EXPECT_EQ(store_->Get(id)->selected_prompts, 1);
  context.TryCancel();
  grpc::Status status;
  ReadAll(reader.get(), &status);
}

TEST_F(SplitTest, PromptsOfTheBaselineCountToo) {
  const std::string id = PutSet('a');
  v1::EvaluateRequest request = Request(v1::PURPOSE_SELECT, "under the direction", id, false);
  request.add_prompts()->set_user("baseline only");
  v1::Arm* arm = request.add_arms();
  arm->set_name("plain");
  arm->add_prompts(1);
  EXPECT_EQ(Run(request).code, grpc::OK);
  EXPECT_EQ(store_->Get(id)->selected_prompts, 2);
}

TEST_F(SplitTest, ExploreAndValidateOnlyRecordNothing) {
  const std::string id = PutSet('a');
  EXPECT_EQ(Run(Request(v1::PURPOSE_EXPLORE, "fitted 1", id, false)).code, grpc::OK);
  v1::EvaluateRequest request = Request(v1::PURPOSE_SELECT, "chosen on", id, false);
  request.set_validate_only(true);
  EXPECT_EQ(Run(request).code, grpc::OK);
  EXPECT_EQ(store_->Get(id)->selected_prompts, 0);
  request = Request(v1::PURPOSE_TEST, "fitted 0", id, false);
  request.set_validate_only(true);  // checks need no run
  EXPECT_EQ(Run(request).reason, "PROMPT_WAS_FITTED_OR_SELECTED_ON");
}

}  // namespace
}  // namespace steer
