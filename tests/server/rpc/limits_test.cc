// Overload, size, cancellation, deadlines, slow and absent readers.
#include <future>

#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class LimitsTest : public ServiceFixture {
 protected:
  bool NoCallIsLeft() {
    const std::string text = metrics_->Text();
    for (const MethodName& m : ServiceMethods()) {
      const std::string line = absl::StrCat("steer_requests_in_flight{method=\"", m.name, "\"} 0");
      if (text.find(line) == std::string::npos) return false;
    }
    return true;
  }
};

TEST_F(LimitsTest, OneCallTooManyIsRefusedAtOnceWithRetryInfo) {
  RpcServerOptions options = Defaults();
  options.service.max_concurrent_calls = 2;
  Restart(options);
  engine_->Block(true);
  grpc::ClientContext contexts[2];
  std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> readers[2];
  for (int i = 0; i < 2; ++i) readers[i] = stub_->Generate(&contexts[i], GenerateRequestOf("a"));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 2; }));
  // Also calls that need no engine.
  grpc::ClientContext context;
  v1::GetModelResponse model;
  const grpc::Status status = stub_->GetModel(&context, {}, &model);
  const RpcError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.reason, "TOO_MANY_CALLS");
  EXPECT_EQ(error.domain, "steer");
  EXPECT_EQ(error.retry_seconds, 1);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_EQ(std::string(pushback->second.data(), pushback->second.size()), "1000");
  EXPECT_NE(metrics_->Text().find("steer_admission_rejections_total{reason=\"calls_full\"} 1"),
            std::string::npos);
  engine_->Block(false);
  for (auto& reader : readers) {
    grpc::Status end;
    ReadAll(reader.get(), &end);
    EXPECT_TRUE(end.ok());
  }
  // The slots are free as soon as the clients know the end.
  grpc::ClientContext again;
  EXPECT_TRUE(stub_->GetModel(&again, {}, &model).ok());
}

TEST_F(LimitsTest, ALargeRequestGetsOurRefusal) {
  RpcServerOptions options = Defaults();
  options.service.max_request_bytes = 10000;
  Restart(options);
  v1::TokenizeRequest request;
  request.add_prompts()->set_user(std::string(11000, 'x'));
  grpc::ClientContext context;
  v1::TokenizeResponse response;
  const RpcError error = ErrorOf(stub_->Tokenize(&context, request, &response));
  EXPECT_EQ(error.code, grpc::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "REQUEST_TOO_LARGE");
  EXPECT_NE(error.message.find("10000"), std::string::npos);
  // Far beyond, gRPC refuses before we see it; the server lives on.
  request.mutable_prompts(0)->set_user(std::string(30000, 'x'));
  grpc::ClientContext far;
  EXPECT_EQ(stub_->Tokenize(&far, request, &response).error_code(), grpc::RESOURCE_EXHAUSTED);
  grpc::ClientContext again;
  v1::GetModelResponse model;
  EXPECT_TRUE(stub_->GetModel(&again, {}, &model).ok());
}

TEST_F(LimitsTest, CancellationReachesTheEngineAndFreesTheCall) {
  engine_->Block(true);
  grpc::ClientContext context;
  auto reader = stub_->Evaluate(&context, EvaluateRequestOf(3));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  context.TryCancel();
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_EQ(status.error_code(), grpc::CANCELLED);
  EXPECT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  EXPECT_TRUE(WaitFor([&] { return NoCallIsLeft(); }));
  EXPECT_NE(AuditText().find("\"code\":\"Canceled\",\"reason\":\"CLIENT_CANCELLED\""),
            std::string::npos)
      << AuditText();
}

TEST_F(LimitsTest, TheClientsDeadlineEndsTheWork) {
  engine_->Block(true);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(2)));
  auto reader = stub_->Generate(&context, GenerateRequestOf("a"));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  EXPECT_TRUE(WaitFor([&] { return NoCallIsLeft(); }));
  EXPECT_NE(AuditText().find("\"code\":\"DeadlineExceeded\""), std::string::npos) << AuditText();
}

TEST_F(LimitsTest, TheServersMaximumHoldsWithoutAClientDeadline) {
  RpcServerOptions options = Defaults();
  options.service.max_call = absl::Milliseconds(150);
  Restart(options);
  engine_->Block(true);
  grpc::Status status;
  Generate(GenerateRequestOf("a"), &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(ErrorOf(status).reason, "DEADLINE_EXCEEDED");
}

TEST_F(LimitsTest, AStalledUploadEndsAtTheMaximum) {
  RpcServerOptions options = Defaults();
  options.service.max_call = absl::Milliseconds(100);
  options.service.linger = absl::Milliseconds(50);
  Restart(options);
  grpc::ClientContext context;
  v1::ImportDirectionResponse response;
  auto writer = stub_->ImportDirection(&context, &response);
  EXPECT_FALSE(writer->Finish().ok());  // returns because the server ends the call
  EXPECT_TRUE(WaitFor([&] { return NoCallIsLeft(); }));
}

TEST_F(LimitsTest, AReaderThatNeverReadsIsCutOffAndMemoryStaysBounded) {
  RpcServerOptions options = Defaults();
  options.service.max_pending_bytes = 100000;
  options.service.linger = absl::Milliseconds(100);
  Restart(options);
  // 80 MB of text: the windows of gRPC and of the kernel grow to several MB when the server is slow.
  engine_->SetPieces(4000000);
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, GenerateRequestOf("a"));
  EXPECT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  EXPECT_TRUE(WaitFor([&] { return NoCallIsLeft(); }));
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_TRUE(status.error_code() == grpc::RESOURCE_EXHAUSTED ||
              status.error_code() == grpc::CANCELLED)
      << status.error_code();
  EXPECT_NE(AuditText().find("\"reason\":\"SLOW_READER\""), std::string::npos) << AuditText();
}

TEST_F(LimitsTest, ASlowReaderWithinTheBoundGetsEverythingInOrder) {
  engine_->SetPieces(20000);
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, GenerateRequestOf("a"));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  grpc::Status status;
  std::string text, wanted;
  for (const auto& m : ReadAll(reader.get(), &status)) text += m.text();
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&wanted, kFakeCompletion, i, " ");
  EXPECT_EQ(text, wanted);
}

TEST_F(LimitsTest, AClientThatVanishesMidStreamFreesItsRows) {
  engine_->Block(true);
  auto channel = Connect();
  auto stub = v1::SteerService::NewStub(channel);
  {
    auto context = std::make_unique<grpc::ClientContext>();
    auto reader = stub->Evaluate(context.get(), EvaluateRequestOf(8));
    ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
    reader = nullptr;  // without reading or finishing
    context = nullptr;
  }
  stub = nullptr;
  channel = nullptr;
  EXPECT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  EXPECT_TRUE(WaitFor([&] { return NoCallIsLeft(); }));
}

TEST_F(LimitsTest, ManyCallsAtOnceAllEnd) {
  std::vector<std::future<int>> done;
  for (int t = 0; t < 8; ++t) {
    done.push_back(std::async(std::launch::async, [this, t] {
      int ok = 0;
      for (int i = 0; i < 25; ++i) {
        grpc::ClientContext context;
        grpc::Status status;
        auto reader = stub_->Evaluate(&context, EvaluateRequestOf(4));
        if ((t + i) % 3 == 0) context.TryCancel();
        ReadAll(reader.get(), &status);
        ok += status.ok() || status.error_code() == grpc::CANCELLED;
      }
      return ok;
    }));
  }
  for (auto& d : done) EXPECT_EQ(d.get(), 25);
  EXPECT_TRUE(WaitFor([&] { return NoCallIsLeft(); }));
}

}  // namespace
}  // namespace steer
