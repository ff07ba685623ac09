#include "server/rpc/grpc_status.h"

#include "common/utf8.h"
#include "google/rpc/status.pb.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

TEST(GrpcStatusTest, EveryCodeHasAReasonAndDomain) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "message");
    const RpcError error = ErrorOf(ToGrpcStatus(status));
    EXPECT_EQ(static_cast<int>(error.code), code);
    EXPECT_EQ(error.reason, absl::StatusCodeToString(status.code()));
    EXPECT_EQ(error.domain, "steer");
    EXPECT_EQ(error.message, "message");
    const bool retry = error.code == grpc::UNAVAILABLE || error.code == grpc::RESOURCE_EXHAUSTED;
    EXPECT_EQ(error.retry_seconds > 0, retry) << code;
  }
}

TEST(GrpcStatusTest, CarriesReasonRetryAndViolations) {
  const RpcError busy = ErrorOf(ToGrpcStatus(WithRetryDelay(
      MakeError(absl::StatusCode::kUnavailable, "BUSY", "m"), absl::Milliseconds(1500))));
  EXPECT_EQ(busy.reason, "BUSY");
  EXPECT_EQ(busy.retry_seconds, 1.5);
  const RpcError bad = ErrorOf(ToGrpcStatus(ViolationsError({{"a.b", "one"}, {"c[0]", "two"}})));
  EXPECT_EQ(bad.violations, (std::vector<Violation>{{"a.b", "one"}, {"c[0]", "two"}}));
}

TEST(GrpcStatusTest, TheDetailsCarryTheSameCodeAndMessage) {
  std::vector<Violation> many;
  for (int i = 0; i < 1000; ++i) many.push_back({absl::StrCat("f", i), "is wrong"});
  for (const absl::Status& status :
       {ViolationsError({{"a", "one"}, {"b", "two"}}), ViolationsError(many),
        MakeError(absl::StatusCode::kNotFound, "NO", std::string(5000, 'x'))}) {
    const grpc::Status sent = ToGrpcStatus(status);
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(sent.error_details()));
    EXPECT_EQ(details.code(), sent.error_code());
    EXPECT_EQ(details.message(), sent.error_message());
  }
}

TEST(GrpcStatusTest, StaysWithinWhatPeersTake) {
  std::vector<Violation> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back({absl::StrCat("prompts[", i, "].user"), "is empty"});
  const grpc::Status status = ToGrpcStatus(ViolationsError(many));
  EXPECT_LT(status.error_details().size(), kMaxDetailBytes + 256);
  EXPECT_LE(status.error_message().size(), kMaxMessageBytes);
  const std::vector<Violation> shown = ErrorOf(status).violations;
  ASSERT_GT(shown.size(), 30u);
  EXPECT_EQ(shown.back().description,
            absl::StrCat(1000 - (shown.size() - 1), " more violations do not fit into this error"));
}

TEST(GrpcStatusTest, MessagesAreCutAtCharactersAndRepaired) {
  std::string text;
  while (text.size() < 3000) text += "\xe2\x82\xac";
  const grpc::Status status = ToGrpcStatus(absl::InternalError(text));
  EXPECT_LE(status.error_message().size(), kMaxMessageBytes);
  EXPECT_TRUE(IsValidUtf8(status.error_message()));
  EXPECT_TRUE(IsValidUtf8(ToGrpcStatus(absl::InternalError("a\xff")).error_message()));
}

class BigErrorTest : public ServiceFixture {};

TEST_F(BigErrorTest, ReachesAClientWithDefaultSettings) {
  v1::FitDirectionRequest request;
  for (int i = 0; i < 8; ++i) request.add_harmful(), request.add_harmless();
  for (int i = 0; i < 200; ++i) request.add_positions(5);
  grpc::Status status;
  Fit(request, &status);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << status.error_message();
  EXPECT_GT(ErrorOf(status).violations.size(), 30u);
}

}  // namespace
}  // namespace steer
