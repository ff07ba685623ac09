#include "server/rpc/request_ids.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class FitTest : public ServiceFixture {};

TEST_F(FitTest, ProgressThenTheSet) {
  grpc::Status status;
  const auto messages = Fit(FitRequest(), &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_GE(messages.size(), 2u);
  const v1::FitProgress& last = messages[messages.size() - 2].progress();
  EXPECT_EQ(last.rows_done(), 4);
  EXPECT_EQ(last.rows_total(), 4);
  const v1::FitDirectionResult& result = messages.back().result();
  EXPECT_FALSE(result.cached());
  EXPECT_EQ(result.set().model_fingerprint(), kFakeModel);
  EXPECT_EQ(result.set().harmful_prompts(), 2);
  EXPECT_TRUE(result.set().has_states());
  EXPECT_GT(result.set().stored_bytes(), 0);
  EXPECT_EQ(result.set().format_version(), 1);
  ASSERT_EQ(result.set().reports_size(), 2);
  EXPECT_FALSE(result.set().reports(0).usable());
  EXPECT_EQ(result.set().reports(1).norm(), 5);
  EXPECT_NEAR(result.set().create_time().seconds(), absl::ToUnixSeconds(absl::Now()), 60);
}

TEST_F(FitTest, TheSameInputsGiveTheSameSet) {
  grpc::Status status;
  const auto first = Fit(FitRequest(), &status);
  ASSERT_TRUE(status.ok());
  v1::FitDirectionRequest anew = FitRequest();
  anew.set_request_id(FreshUuid());
  const auto second = Fit(anew, &status);
  ASSERT_TRUE(status.ok());
  EXPECT_TRUE(second.back().result().cached());
  EXPECT_EQ(second.back().result().set().set_id(), first.back().result().set().set_id());
}

TEST_F(FitTest, TheSameIdWithAnotherRequestIsRefused) {
  grpc::Status status;
  Fit(FitRequest(), &status);
  ASSERT_TRUE(status.ok());
  v1::FitDirectionRequest other = FitRequest();
  other.set_drop_states(true);
  Fit(other, &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::ALREADY_EXISTS);
  EXPECT_EQ(ErrorOf(status).reason, "REQUEST_ID_REUSED");
  other.set_request_id("123E4567-E89B-42D3-A456-426614174000");  // the same id
  Fit(other, &status);
  EXPECT_EQ(ErrorOf(status).reason, "REQUEST_ID_REUSED");
  other.set_request_id(kOtherUuid);
  Fit(other, &status);
  EXPECT_TRUE(status.ok());
}

TEST_F(FitTest, ValidateOnlyNeitherRunsNorClaimsTheId) {
  v1::FitDirectionRequest request = FitRequest();
  request.set_validate_only(true);
  grpc::Status status;
  const auto messages = Fit(request, &status);
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].cost().rows(), 4);
  EXPECT_EQ(engine_->jobs_submitted(), 0);
  Fit(FitRequest(), &status);
  EXPECT_TRUE(status.ok());
}

TEST_F(FitTest, NoPromptTwiceInAClassOrInBoth) {
  v1::FitDirectionRequest request = FitRequest();
  request.add_harmful()->set_user("  How to FOLD a paper\tcrane");
  request.add_harmless()->set_user("how to whistle a tune");
  grpc::Status status;
  Fit(request, &status);
  EXPECT_EQ(FieldsOf(status), "harmful[2] harmless[2]");
  const std::vector<Violation> found = ErrorOf(status).violations;
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NE(found[0].description.find("harmful[0]"), std::string::npos);
  EXPECT_NE(found[1].description.find("harmful[1]"), std::string::npos);
}

TEST_F(FitTest, PromptsMustReachThePositions) {
  v1::FitDirectionRequest request = FitRequest();
  request.mutable_harmless(1)->set_user("abc");  // 5 tokens
  request.add_positions(-5);
  request.add_positions(-1);
  request.set_drop_states(true);
  grpc::Status status;
  Fit(request, &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(engine_->TakeLastFit().positions, (std::vector<int>{-1, -5}));
  request.add_positions(-6);
  request.set_request_id(kOtherUuid);
  Fit(request, &status);
  EXPECT_EQ(FieldsOf(status), "harmless[1].user");
}

TEST_F(FitTest, StatesBeyondTheCapAreRefused) {
  v1::FitDirectionRequest request = FitRequest();
  for (int i = 0; i < 4; ++i) request.add_harmless()->set_user(absl::StrCat("more ", i));
  grpc::Status status;
  Fit(request, &status);
  EXPECT_EQ(FieldsOf(status), "drop_states");
  request.set_drop_states(true);
  Fit(request, &status);
  EXPECT_TRUE(status.ok());
}

TEST(RequestIdsTest, MemoryIsBounded) {
  RequestIds requests;
  ASSERT_TRUE(requests.Claim("a", "1").ok());
  for (size_t i = 0; i < RequestIds::kRemembered; ++i) {
    ASSERT_TRUE(requests.Claim(absl::StrCat("id", i), "1").ok());
  }
  EXPECT_TRUE(requests.Claim("a", "2").ok());  // forgotten
  EXPECT_FALSE(requests.Claim(absl::StrCat("ID", RequestIds::kRemembered - 1), "2").ok());
}

TEST_F(FitTest, RefusesAnotherModelNamingBoth) {
  v1::FitDirectionRequest request = FitRequest();
  request.set_expected_model_fingerprint("another");
  grpc::Status status;
  Fit(request, &status);
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH");
  EXPECT_NE(ErrorOf(status).message.find(kFakeModel), std::string::npos);
  EXPECT_NE(ErrorOf(status).message.find("expects another;"), std::string::npos);
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

}  // namespace
}  // namespace steer
