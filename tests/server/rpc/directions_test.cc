#include <set>

#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class DirectionsTest : public ServiceFixture {
 protected:
  grpc::Status Get(const v1::GetDirectionRequest& request, v1::GetDirectionResponse* response) {
    grpc::ClientContext context;
    return stub_->GetDirection(&context, request, response);
  }
  grpc::Status List(const v1::ListDirectionsRequest& request,
                    v1::ListDirectionsResponse* response) {
    grpc::ClientContext context;
    response->Clear();
    return stub_->ListDirections(&context, request, response);
  }
  grpc::Status Delete(const std::string& set_id) {
    grpc::ClientContext context;
    v1::DeleteDirectionRequest request;
    request.set_set_id(set_id);
    v1::DeleteDirectionResponse response;
    return stub_->DeleteDirection(&context, request, &response);
  }
};

TEST_F(DirectionsTest, GetDescribesADirectionAndItsControls) {
  v1::GetDirectionRequest request;
  request.set_set_id(PutSet('a', true));
  v1::GetDirectionResponse response;
  ASSERT_TRUE(Get(request, &response).ok());
  EXPECT_EQ(response.set().set_id(), request.set_id());
  EXPECT_TRUE(response.set().has_states());
  EXPECT_EQ(response.direction_digest(), "");
  request.mutable_direction()->set_position(-1);
  request.mutable_direction()->set_layer(1);
  ASSERT_TRUE(Get(request, &response).ok());
  EXPECT_EQ(response.direction_digest(), response.set().reports(1).direction_digest());
  EXPECT_NEAR(response.direction_norm(), 5, 1e-6);
  EXPECT_NEAR(response.cosine_with_fitted(), 1, 1e-12);
  const std::string fitted = response.direction_digest();
  request.mutable_direction()->mutable_control()->set_family(v1::CONTROL_FAMILY_ISOTROPIC);
  ASSERT_TRUE(Get(request, &response).ok());
  EXPECT_NE(response.direction_digest(), fitted);
  EXPECT_NEAR(response.direction_norm(), 5, 1e-5);
  EXPECT_LT(response.cosine_with_fitted(), 1);
}

TEST_F(DirectionsTest, GetErrors) {
  v1::GetDirectionRequest request;
  v1::GetDirectionResponse response;
  request.set_set_id(std::string(64, 'c'));
  EXPECT_EQ(Get(request, &response).error_code(), grpc::NOT_FOUND);
  request.set_set_id(PutSet('a'));
  request.mutable_direction()->set_position(-2);  // not in the set
  grpc::Status status = Get(request, &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(FieldsOf(status), "direction");
  request.mutable_direction()->set_position(-1);
  status = Get(request, &response);
  EXPECT_EQ(ErrorOf(status).reason, "DIRECTION_UNUSABLE");
}

TEST_F(DirectionsTest, ListPages) {
  std::set<std::string> put;
  for (const char digit : {'1', '2', '3', '4', '5'}) put.insert(PutSet(digit));
  v1::ListDirectionsRequest request;
  v1::ListDirectionsResponse page;
  ASSERT_TRUE(List(request, &page).ok());
  EXPECT_EQ(page.sets_size(), 5);
  EXPECT_EQ(page.next_page_token(), "");
  request.set_page_size(2);
  std::set<std::string> seen;
  for (const int size : {2, 2, 1}) {
    ASSERT_TRUE(List(request, &page).ok());
    EXPECT_EQ(page.sets_size(), size);
    for (const v1::DirectionSet& set : page.sets()) seen.insert(set.set_id());
    request.set_page_token(page.next_page_token());
  }
  EXPECT_EQ(request.page_token(), "");
  EXPECT_EQ(seen, put);
  request.set_model_fingerprint("another model");
  ASSERT_TRUE(List(request, &page).ok());
  EXPECT_EQ(page.sets_size(), 0);
}

TEST_F(DirectionsTest, ListRefusesForeignTokens) {
  for (const char digit : {'1', '2'}) PutSet(digit);
  v1::ListDirectionsRequest request;
  v1::ListDirectionsResponse page;
  request.set_page_size(1);
  ASSERT_TRUE(List(request, &page).ok());
  const std::string token = page.next_page_token();
  for (const std::string& bad : {std::string("x"), token + "0", std::string(64, '1'),
                                 std::string(64, '1') + ".0000000000000000"}) {
    request.set_page_token(bad);
    EXPECT_EQ(FieldsOf(List(request, &page)), "page_token") << bad;
  }
  request.set_page_token(token);
  request.set_model_fingerprint(kFakeModel);  // not the filter it was given for
  EXPECT_EQ(FieldsOf(List(request, &page)), "page_token");
  request.set_page_size(5000);
  EXPECT_EQ(FieldsOf(List(request, &page)), "page_size page_token");
}

TEST_F(DirectionsTest, DeleteButNotInUse) {
  const std::string id = PutSet('a');
  engine_->Block(true);
  v1::EvaluateRequest request = EvaluateRequestOf(1);
  *request.mutable_arms(0)->mutable_intervention() = AblateWith(id, /*control=*/true);
  grpc::ClientContext context;
  auto reader = stub_->Evaluate(&context, request);
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  const grpc::Status in_use = Delete(id);
  EXPECT_EQ(in_use.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(in_use).reason, "DIRECTION_IN_USE");
  engine_->Block(false);
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_TRUE(status.ok());
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  EXPECT_TRUE(Delete(id).ok());
  EXPECT_EQ(Delete(id).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(FieldsOf(Delete("../x")), "set_id");
}

}  // namespace
}  // namespace steer
